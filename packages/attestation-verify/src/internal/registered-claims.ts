import type { JsonValue } from '../strict-json.ts'
import { isStringList } from './json.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'

/** How far two clocks may be apart, seconds. */
const SKEW = 30
/** How old a token may be, seconds: it was made for this one request. */
const MAX_AGE = 300
const MAX_LIFETIME = 3600

/** `iss` is one of these, exactly. It chooses the key, so it comes before the signature. */
export function issuerStep(issuers: readonly string[]): Step {
  return {
    check: 'jwt.iss',
    needs: ['jwt.payload'],
    run({ payload: { iss } }) {
      if (typeof iss !== 'string' || !issuers.includes(iss)) throw new Rejection(`not ${issuers.join(' or ')}`)
      return iss
    },
  }
}

/** `aud` is the expected audience, as a string or as a list of one (RFC 7519 §4.1.3). */
export const audienceStep: Step = {
  check: 'jwt.aud',
  needs: ['jwt.payload'],
  run: ({ payload, expected }) => requireAudience(payload.aud, expected.audience),
}

export function requireAudience(aud: JsonValue | undefined, expected: string): string {
  const [only, ...others] = Array.isArray(aud) ? aud : [aud]
  if (only !== expected || others.length > 0) throw new Rejection('not the expected audience')
  return expected
}

/** `exp`, `iat` and `nbf` (RFC 7519 §4.1.4 to §4.1.6). Every comparison is written so that NaN fails it. */
export function timeSteps(maxLifetime = MAX_LIFETIME): readonly Step[] {
  return [
    {
      check: 'jwt.exp',
      needs: ['jwt.payload'],
      run(draft) {
        const { exp, iat } = draft.payload
        if (!isTime(exp)) throw new Rejection('"exp" is not a number of seconds')
        if (!(exp > draft.now)) throw new Rejection('expired') // no skew: our tokens live an hour and are used within minutes
        if (isTime(iat) && !(exp - iat <= maxLifetime)) throw new Rejection(`lives longer than ${maxLifetime} s`)
        draft.expiresAt = exp
        return `${Math.round(exp - draft.now)} s left`
      },
    },
    {
      check: 'jwt.time',
      needs: ['jwt.payload'],
      run(draft) {
        const { iat, nbf, exp } = draft.payload
        if (!isTime(iat) || !(isTime(exp) && iat <= exp)) throw new Rejection('"iat" is no time before "exp"')
        if (nbf !== undefined && !(isTime(nbf) && nbf <= draft.now + SKEW)) throw new Rejection('not valid yet')
        if (!(iat <= draft.now + SKEW)) throw new Rejection('issued in the future')
        if (!(draft.now - iat <= MAX_AGE + SKEW)) throw new Rejection(`issued more than ${MAX_AGE} s ago`)
        draft.issuedAt = iat
        return `${Math.round(draft.now - iat)} s old`
      },
    },
  ]
}

/** Seconds since the epoch, up to the year 9999. */
const isTime = (value: JsonValue | undefined): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) < 253_402_300_800

/** A step that reads the nonces the hardware evidence commits to. */
export function nonceStep(read: (draft: Draft) => JsonValue | undefined): Step {
  return {
    check: 'jwt.nonce',
    needs: ['jwt.payload'],
    run(draft) {
      draft.nonces = nonceList(read(draft))
      return draft.nonces.length === 0 ? 'none' : draft.nonces.join(' ')
    },
  }
}

/** One nonce is a string, several are a list: at most 6, each of 8 to 88 characters. */
function nonceList(value: JsonValue | undefined): readonly string[] {
  const list = value === undefined || value === null ? [] : typeof value === 'string' ? [value] : value
  if (!isStringList(list) || list.length > 6) throw new Rejection('not a nonce, nor a list of at most 6')
  if (!list.every(({ length }) => length >= 8 && length <= 88))
    throw new Rejection('a nonce has not 8 to 88 characters')
  return list
}
