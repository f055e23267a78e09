import { type Handle, type Pkcs11Session, sign } from '@hardbound/pkcs11'
import { type HmacBackend, HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { CKM_SHA256_HMAC } from './internal/ck.ts'

export const NAME = 'pkcs11'
const MECHANISM = { mechanism: CKM_SHA256_HMAC }
const OCTETS = 32

/** One HMAC-SHA-256. */
export function tagOf(session: Pkcs11Session, key: Handle, message: Uint8Array): Uint8Array | Promise<Uint8Array> {
  const tag = sign(session, MECHANISM, key, message, OCTETS)
  return tag instanceof Uint8Array ? whole(tag) : tag.then(whole)
}

function whole(tag: Uint8Array): Uint8Array {
  if (tag.length === OCTETS) return tag
  throw new HmacBackendError('ERR_HMAC_RESPONSE', `${NAME}: a tag of ${tag.length} octets`)
}

/** For what the known answer is computed with. */
export function asBackend(hmac: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>): HmacBackend {
  return { name: NAME, hmacSha256: async (message) => hmac(message), close: async () => {} }
}
