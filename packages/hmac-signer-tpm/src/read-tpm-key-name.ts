import { openDevice } from './internal/device.ts'
import { createGate } from './internal/gate.ts'
import { saltKey } from './internal/protection.ts'
import type { SaltKey, TpmOptions } from './options.ts'

/**
 * Reads the name of a key to pin as `sessionEncryption.name`. Believes what it is shown: run it where nobody sits between us and the TPM,
 * or compare with the certificate of the endorsement key.
 *
 * @param init.key Default: `ek-rsa`.
 * @returns Hexadecimal, `000b…`.
 * @throws {HmacBackendError}
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
