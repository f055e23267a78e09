import { openDevice } from './device.ts'
import { createGate } from './gate.ts'
import type { SaltKey, TpmOptions } from './options.ts'
import { saltKey } from './protection.ts'

/**
 * Reads the name of a key to pin as `sessionEncryption.name`. Believes what it is shown: run it where nobody sits between us and the TPM,
 * or compare with the certificate of the endorsement key.
 *
 * @param init.key Default: `ek-rsa`.
 * @returns Hexadecimal, `000b…`.
 * @throws {Tpm2Error}
 */
export async function readTpmKeyName(
  init: Pick<TpmOptions, 'tpm' | 'dangerouslyAllowTcp'> & { readonly key?: SaltKey; readonly timeoutMs?: number },
): Promise<string> {
  const { key = 'ek-rsa', timeoutMs = 60_000 } = init
  const gate = createGate(await openDevice(init, timeoutMs), { timeoutMs, maxWaiting: 1 })
  try {
    const { name } = await gate.alone((tpm) => saltKey(tpm, key))
    return Buffer.from(name).toString('hex')
  } finally {
    await gate.close()
  }
}
