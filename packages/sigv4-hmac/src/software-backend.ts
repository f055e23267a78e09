import { createHmac } from 'node:crypto'
import type { HmacBackend } from './hmac-backend.ts'
import { HmacBackendError } from './hmac-backend-error.ts'
import { forgetSigningKeys } from './signing-keys.ts'

/** What {@link softwareHmac} needs. */
export interface SoftwareHmacInit {
  /** The secret access key as AWS gave it, without `AWS4`. Copied; the caller may zero its own octets. */
  secretAccessKey: string | Uint8Array
}

const PREFIX = Buffer.from('AWS4')

/**
 * A backend whose key is in this process's memory: for tests, and for moving to hardware step by step.
 *
 * @throws {TypeError} on an empty secret, or one that already begins with `AWS4`.
 * @see {@link https://www.rfc-editor.org/rfc/rfc2104 RFC 2104}
 */
export function softwareHmac({ secretAccessKey }: SoftwareHmacInit): HmacBackend {
  const secret = Buffer.from(secretAccessKey)
  if (secret.length === 0) throw new TypeError('"secretAccessKey" is empty')
  if (secret.length > 40 && secret.subarray(0, 4).equals(PREFIX)) {
    throw new TypeError('"secretAccessKey" must be as AWS gave it, without AWS4')
  }
  const key = Buffer.concat([PREFIX, secret])
  secret.fill(0)
  let closed = false
  const backend: HmacBackend = {
    name: 'software',
    hmacSha256(message, { signal } = {}) {
      if (closed) return Promise.reject(new HmacBackendError('ERR_HMAC_CLOSED', 'software: closed'))
      if (signal?.aborted) return Promise.reject(new HmacBackendError('ERR_HMAC_ABORTED', 'software: aborted'))
      return Promise.resolve(createHmac('sha256', key).update(message).digest())
    },
    close() {
      closed = true
      key.fill(0)
      forgetSigningKeys(backend)
      return Promise.resolve()
    },
  }
  return backend
}
