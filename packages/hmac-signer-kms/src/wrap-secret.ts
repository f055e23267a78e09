import { timingSafeEqual } from 'node:crypto'
import { HmacBackendError, knownAnswer } from '@hardbound/sigv4-hmac/backend'
import type { Envelope } from './envelope.ts'
import { createCallQueue } from './internal/call-queue.ts'
import { viewOf } from './internal/local-backend.ts'
import type { KeyWrapper } from './key-unwrapper.ts'

/** Octets of a key: more than SigV4 needs, few enough for every KMS. */
const MAX_KEY_OCTETS = 1024

/** What {@link wrapSecret} needs. */
export interface WrapSecretInit {
  readonly wrap: KeyWrapper
  /** The HMAC key: for SigV4 `AWS4` and the secret access key. Copied; the caller wipes its own octets. */
  readonly key: Uint8Array
  /** Milliseconds for each of the two calls. Default: 5000. */
  readonly timeoutMs?: number
}

/**
 * Has a KMS wrap an HMAC key, unwraps it again, and notes its known answer.
 *
 * @throws {TypeError} on a key that is empty or too long.
 * @throws {HmacBackendError}
 */
export async function wrapSecret({ wrap, key, timeoutMs = 5000 }: WrapSecretInit): Promise<Envelope> {
  if (key.length === 0 || key.length > MAX_KEY_OCTETS)
    throw new TypeError(`"key" must have 1 to ${MAX_KEY_OCTETS} octets`)
  const copy = Uint8Array.from(key)
  const queue = createCallQueue({ name: 'kms', concurrency: 1, maxWaiting: 0, timeoutMs })
  try {
    const ciphertext = await queue.run((signal) => wrap.wrap(copy, { signal }))
    const back = await queue.run((signal) => wrap.unwrap(ciphertext, { signal }))
    const isSame = back.length === copy.length && timingSafeEqual(back, copy)
    back.fill(0)
    if (!isSame) throw new HmacBackendError('ERR_HMAC_RESPONSE', 'kms: what was wrapped did not come back')
    const { kms, keyId, context } = wrap
    return { kms, keyId, context, ciphertext, knownAnswer: await knownAnswer(viewOf(copy)) }
  } finally {
    copy.fill(0)
  }
}
