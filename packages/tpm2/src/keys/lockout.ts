import { tpmProperty } from '../commands/get-capability.ts'
import { Tpm2Error } from '../errors.ts'
import type { PublicArea } from '../public-area.ts'
import type { Tpm } from '../tpm.ts'

/**
 * Leaves the last try before the TPM's lockout to a person. A program that is started over and over with a wrong password would else lock
 * it, for all keys in it and everybody who uses them.
 *
 * @param area What is to be used with a password. Nothing is counted for keys with `noDA`.
 * @throws {Tpm2Error} `ERR_TPM_LOCKOUT`
 */
export async function assertTriesLeft(tpm: Tpm, area: PublicArea): Promise<void> {
  if (area.attributes.includes('noDA')) return
  const tried = await tpmProperty(tpm, 'lockoutCounter')
  // Where a single try is all there ever is, it may be made.
  if (tried === 0 || tried < (await tpmProperty(tpm, 'maxAuthFail')) - 1) return
  throw new Tpm2Error(
    'ERR_TPM_LOCKOUT',
    `after ${tried} wrong passwords it is locked, or would be with one more: wait, or tpm2_dictionarylockout --clear-lockout`,
  )
}
