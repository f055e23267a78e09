import { type AttestationCheck, AttestationError } from './errors.ts'
import { decodeSteps, objectOf } from './internal/decode.ts'
import { type Draft, Rejection, type Step } from './internal/pipeline.ts'
import type { JsonObject } from './strict-json.ts'

/** What a token says, as long as nobody has checked it. */
export interface UnverifiedToken {
  readonly header: JsonObject
  readonly payload: JsonObject
}

/**
 * Decodes a token as strictly as a verifier would, and checks nothing else: no signature, no time, no issuer. For looking
 * at tokens, and for choosing a verifier. The payload may hold secrets of the workload (`submods.container.env`).
 *
 * @throws {AttestationError} `ERR_ATTESTATION_REJECTED` where it is no JWT with one meaning.
 */
export function decodeUnverified(token: string): UnverifiedToken {
  const draft = { token } as Draft
  for (const { check, run } of [...decodeSteps, HEADER]) {
    rejectAs(check, () => run(draft))
  }
  return { header: draft.header, payload: draft.payload }
}

const HEADER: Step = {
  check: 'jwt.header',
  needs: ['jwt.depth'],
  run(draft) {
    draft.header = objectOf(draft.parsed.header)
    return undefined
  },
}

function rejectAs(check: AttestationCheck, run: () => unknown): void {
  try {
    run()
  } catch (cause) {
    if (!(cause instanceof Rejection)) throw cause
    throw new AttestationError('ERR_ATTESTATION_REJECTED', check, `the attestation failed ${check}`)
  }
}
