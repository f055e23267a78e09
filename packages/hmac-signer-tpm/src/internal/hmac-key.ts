import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import type { PublicArea, Tpm } from '@hardbound/tpm2'
import { hmacSequence } from '@hardbound/tpm2/commands'
import { type KeyUse, unfit, withKey } from '@hardbound/tpm2/keys'

/** M11: a key that gives HMAC-SHA-256 of what it is asked, and nothing else. */
export function assertHmacKey(area: PublicArea): void {
  if (area.type !== 'keyedhash') throw unfit('it is not an HMAC key')
  if (!area.attributes.includes('sign')) throw unfit('it may not sign')
  if (area.attributes.includes('restricted')) throw unfit('it is restricted')
  if (area.scheme?.scheme !== 'hmac' || area.scheme.hash !== 'sha256') throw unfit('it is not for HMAC-SHA-256')
}

/** One HMAC. Leaves nothing in the TPM. */
export const computeTag = (tpm: Tpm, use: KeyUse, message: Uint8Array): Promise<Uint8Array> =>
  withKey(tpm, use, (ready) => hmacSequence(tpm, { ...ready, message }))

/** One key, within one `exclusively`. */
export const asBackend = (tpm: Tpm, use: KeyUse): HmacBackend => ({
  name: 'tpm',
  hmacSha256: (message) => computeTag(tpm, use, message),
  close: () => Promise.resolve(),
})
