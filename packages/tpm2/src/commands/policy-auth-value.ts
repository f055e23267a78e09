import { asAuthSession } from '../internal/auth-session.ts'
import { EMPTY } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'

/**
 * Makes the object's authorisation value part of the session's policy. It is proved by the session's HMAC, and does not
 * cross the wire.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §23.17, TPM2_PolicyAuthValue
 */
export async function policyAuthValue(tpm: Tpm, session: Session, options?: CallOptions): Promise<void> {
  const state = asAuthSession(session)
  const { parameters } = await tpm.execute(
    { command: 'TPM2_PolicyAuthValue', handles: [session.handle], parameters: EMPTY },
    options,
  )
  new Reader(parameters, 'TPM2_PolicyAuthValue').end()
  state.needs = 'authValue'
}
