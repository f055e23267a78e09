import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import type { PublicArea, Tpm } from '@hardbound/tpm2'
import { tpmProperty } from '@hardbound/tpm2/commands'

/**
 * Leaves the last try before the TPM's lockout to a person. A program that is started over and over with a wrong password would else lock
 * it, for all keys in it and everybody who uses them.
 *
 * @param area What is to be used with a password. Nothing is counted for keys with `noDA`.
 * @throws {HmacBackendError} `ERR_HMAC_LOCKED`
 */
export async function assertTriesLeft(tpm: Tpm, area: PublicArea): Promise<void> {
  if (area.attributes.includes('noDA')) return
  const tried = await tpmProperty(tpm, 'lockoutCounter')
  // Where a single try is all there ever is, it may be made.
  if (tried === 0 || tried < (await tpmProperty(tpm, 'maxAuthFail')) - 1) return
  throw new HmacBackendError(
    'ERR_HMAC_LOCKED',
    `tpm: after ${tried} wrong passwords it is locked, or would be with one more: wait, or tpm2_dictionarylockout --clear-lockout`,
  )
}
