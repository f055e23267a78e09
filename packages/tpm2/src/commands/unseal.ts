import { EMPTY } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/**
 * Reads sealed data. Give an encrypting session, else it crosses in clear.
 *
 * @returns The data; the caller wipes it.
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §12.7, TPM2_Unseal
 */
export async function unseal(
  tpm: Tpm,
  init: { readonly object: ObjectHandle; readonly auth?: Authorization; readonly sessions?: readonly Session[] },
  options?: CallOptions,
): Promise<Uint8Array> {
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_Unseal',
      handles: [init.object],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: EMPTY,
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_Unseal')
  const data = reader.sized()
  reader.end()
  parameters.fill(0)
  return data
}
