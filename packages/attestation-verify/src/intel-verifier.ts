import type { AttestationVerifier } from './attestation-verifier.ts'
import { confidentialSpaceSteps } from './internal/confidential-space.ts'
import { decodeSteps } from './internal/decode.ts'
import { headerSteps } from './internal/header.ts'
import { intelTdxSteps, tdxFields } from './internal/intel-tdx.ts'
import { type Draft, Rejection, type Step } from './internal/pipeline.ts'
import { issuerStep, nonceStep, requireAudience, timeSteps } from './internal/registered-claims.ts'
import { keyStep, signatureStep } from './internal/signature.ts'
import { textOfBase64 } from './internal/text.ts'
import { createVerifier } from './internal/verifier.ts'
import type { KeySource } from './key-source.ts'
import type { JsonValue } from './strict-json.ts'

/** Options of {@link createIntelVerifier}. */
export interface IntelVerifierInit {
  /** Intel's keys: `createRemoteKeySet({ url: INTEL_JWKS_URL })`. */
  readonly keys: KeySource
  /** Which portal signs. Default: `us`. */
  readonly region?: 'us' | 'eu'
  /** Accepted `attester_tcb_status` values of plain TDX tokens. Default: `UpToDate`. */
  readonly acceptedTcbStatuses?: readonly string[]
  /** Milliseconds since the epoch. Default: the machine's clock. Clocks may be 30 s apart. */
  readonly clock?: () => number
  /**
   * Accepts plain TDX tokens, which have no `aud`: then nothing in the token names you as its reader, and only the
   * nonce, where it commits to your end of the connection as the binding nonce does, ties it to you. Default: false.
   */
  readonly dangerouslyAcceptNoAudience?: boolean
}

const ISSUERS = {
  us: 'https://portal.trustauthority.intel.com',
  eu: 'https://portal.eu.trustauthority.intel.com',
}

/**
 * Verifies tokens of Intel Trust Authority, RS256 or PS384: those of Confidential Space on TDX (recognised by `swname`),
 * and those of any TDX guest, whose claims are flat in version 1 and under `tdx` in version 2.
 *
 * @throws {TypeError} where an option could not be meant.
 */
export function createIntelVerifier(init: IntelVerifierInit): AttestationVerifier {
  const { keys, region = 'us', acceptedTcbStatuses = ['UpToDate'] } = init
  const issuers = [ISSUERS[region]]
  if (issuers[0] === undefined) throw new TypeError('"region" must be us or eu')
  if (acceptedTcbStatuses.length === 0) throw new TypeError('"acceptedTcbStatuses" must not be empty')
  return createVerifier({
    name: 'intel',
    issuers,
    clock: init.clock,
    ready: () => keys.ready(),
    steps: [
      ...decodeSteps,
      // `jku` only repeats where the keys are; it is never followed.
      ...headerSteps({ algorithms: ['RS256', 'PS384'], ignored: ['jku'] }),
      issuerStep(issuers),
      keyStep(() => keys),
      signatureStep,
      audience(init.dangerouslyAcceptNoAudience === true),
      ...timeSteps(),
      nonceStep(nonces),
      ...eitherKind(CONFIDENTIAL_SPACE, intelTdxSteps(acceptedTcbStatuses)),
    ],
  })
}

const CONFIDENTIAL_SPACE = confidentialSpaceSteps({
  hwmodels: ['INTEL_TDX'],
  // Sources differ about which of the two Intel writes; neither means a debuggable guest.
  dbgstats: ['disabled-since-boot', 'disabled'],
  eatProfile: undefined,
  stable: true,
})

const isConfidentialSpace = ({ payload }: Draft): boolean => Object.hasOwn(payload, 'swname')

function audience(acceptNone: boolean): Step {
  return {
    check: 'jwt.aud',
    needs: ['jwt.payload'],
    run(draft) {
      const { aud } = draft.payload
      if (aud === undefined && acceptNone && !isConfidentialSpace(draft)) return 'none'
      return requireAudience(aud, draft.expected.audience)
    },
  }
}

/**
 * For a plain quote, the data that its report data commits to. Not `verifier_nonce`: that one comes from whoever asked
 * Intel to appraise the quote, so a relay can make it say anything.
 */
function nonces(draft: Draft): JsonValue | undefined {
  if (isConfidentialSpace(draft)) return draft.payload.eat_nonce
  const held = tdxFields(draft.payload).attester_held_data ?? undefined
  if (held === undefined) return undefined
  if (typeof held !== 'string') throw new Rejection('"attester_held_data" is not a string')
  return textOfBase64(held)
}

/** Both kinds have steps of the same names: each runs the one of the token's kind, and passes where that kind has none. */
function eitherKind(space: readonly Step[], plain: readonly Step[]): readonly Step[] {
  const checks = new Set([...space, ...plain].map(({ check }) => check))
  return [...checks].map((check): Step => {
    const ofSpace = space.find((step) => step.check === check)
    const ofPlain = plain.find((step) => step.check === check)
    const needs = check === 'claim.format' ? (['jwt.payload'] as const) : (['claim.format'] as const)
    return {
      check,
      needs,
      run(draft) {
        const step = isConfidentialSpace(draft) ? ofSpace : ofPlain
        return step === undefined ? 'not said by tokens of this kind' : step.run(draft)
      },
    }
  })
}
