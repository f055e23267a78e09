import { asAuthSession } from '../internal/auth-session.ts'
import { EMPTY } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'

/**
 * Makes the object's password part of the session's policy. It crosses the wire in clear; `policyAuthValue` satisfies the
 * same policies without that.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §23.18, TPM2_PolicyPassword
 */
export async function policyPassword(tpm: Tpm, session: Session, options?: CallOptions): Promise<void> {
  const state = asAuthSession(session)
  const { parameters } = await tpm.execute(
    { command: 'TPM2_PolicyPassword', handles: [session.handle], parameters: EMPTY },
    options,
  )
  new Reader(parameters, 'TPM2_PolicyPassword').end()
  state.needs = 'password'
}
