import { objectOf } from './decode.ts'
import { isKid } from './jwks.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'

/** What an issuer's headers look like. */
export interface HeaderRules {
  readonly algorithms: readonly string[]
  /** Parameters this verifier uses beyond `alg`, `typ` and `kid`; each must be there. */
  readonly required?: readonly string[]
  /** Parameters the issuer is known to send and this verifier never reads. */
  readonly ignored?: readonly string[]
}

/** RFC 7515 §4, by an allow-list: a header may hold what its issuer sends, and nothing else. */
export function headerSteps({ algorithms, required = [], ignored = [] }: HeaderRules): readonly Step[] {
  // `crit` and `b64` get as far as their own check.
  const allowed = new Set(['alg', 'typ', 'kid', 'crit', 'b64', ...required, ...ignored])
  return [
    {
      check: 'jwt.header',
      needs: ['jwt.duplicate_key', 'jwt.depth'],
      run(draft) {
        draft.header = objectOf(draft.parsed.header)
        if (!Object.keys(draft.header).every((name) => allowed.has(name))) throw new Rejection('a parameter too many')
        const missing = required.find((name) => !Object.hasOwn(draft.header, name))
        if (missing !== undefined) throw new Rejection(`no "${missing}"`)
        return undefined
      },
    },
    {
      check: 'jwt.alg',
      needs: ['jwt.header'],
      run(draft) {
        const { alg } = draft.header
        if (typeof alg !== 'string' || !algorithms.includes(alg)) throw new Rejection(`not ${algorithms.join(' or ')}`)
        draft.alg = alg
        return alg
      },
    },
    { check: 'jwt.typ', needs: ['jwt.header', 'jwt.payload'], run: typ },
    { check: 'jwt.crit', needs: ['jwt.header'], run: crit },
    { check: 'jwt.kid', needs: ['jwt.header'], run: kid },
  ]
}

/** Tokens for AWS have the same issuer, keys and header; the claim that makes them so gives them away. */
function typ({ header, payload }: Draft): undefined {
  if (header.typ !== 'JWT') throw new Rejection('"typ" is not JWT')
  if (Object.hasOwn(payload, 'https://aws.amazon.com/tags')) throw new Rejection('a token for AWS')
}

function crit({ header }: Draft): undefined {
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) throw new Rejection('extensions are not supported')
}

function kid(draft: Draft): string {
  const { kid: id } = draft.header
  if (!isKid(id)) throw new Rejection('not 1 to 128 printable ASCII characters')
  draft.kid = id
  return id
}
