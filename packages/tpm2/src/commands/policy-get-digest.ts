import { EMPTY } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'

/**
 * Reads the digest of the policy that a session has satisfied so far.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §23.19, TPM2_PolicyGetDigest
 */
export async function policyGetDigest(tpm: Tpm, session: Session, options?: CallOptions): Promise<Uint8Array> {
  const { parameters } = await tpm.execute(
    { command: 'TPM2_PolicyGetDigest', handles: [session.handle], parameters: EMPTY },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_PolicyGetDigest')
  const digest = reader.sized(64)
  reader.end()
  return digest
}
