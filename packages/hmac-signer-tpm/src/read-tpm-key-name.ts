import { readTpmKeyName as readName, type SaltKey, type TpmOptions } from '@hardbound/tpm2/keys'
import { rethrow } from './internal/errors.ts'

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
  return readName(init).catch(rethrow)
}
