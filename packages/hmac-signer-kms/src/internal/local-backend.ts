import { createHmac } from 'node:crypto'
import { checkKnownAnswer, forgetSigningKeys, type HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { asBackendError, createCallQueue } from './call-queue.ts'
import { assertInteger, assertLimits } from './checks.ts'
import { type CachePolicy, createSecretUse } from './secret-use.ts'

/** What backends that unwrap a key and use it here have in common. */
export interface LocalBackendInit {
  /** Default: nothing is kept, each HMAC asks the KMS. */
  readonly cache?: CachePolicy
  /** Milliseconds for each call. Default: 5000. */
  readonly timeoutMs?: number
  /** Calls that may wait at once. Default: 256. */
  readonly maxWaiting?: number
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: () => number
}

/**
 * A backend whose key is unwrapped on use. Unwraps once to make sure that it works, and compares the known answers each time.
 *
 * @param unwrap Gives octets that belong to the backend.
 * @param release Called once on close.
 * @throws {HmacBackendError}
 */
export async function openLocalBackend(
  { cache, timeoutMs = 5000, maxWaiting = 256, clock = Date.now }: LocalBackendInit,
  knownAnswers: readonly string[],
  unwrap: (signal: AbortSignal) => Promise<Uint8Array>,
  release: () => Promise<void>,
): Promise<HmacBackend> {
  assertLimits({ timeoutMs, maxWaiting })
  assertInteger('cache.maxAgeSeconds', cache?.maxAgeSeconds ?? 300, 1, 86_400)
  assertInteger('cache.maxUses', cache?.maxUses ?? 1, 1, Number.MAX_SAFE_INTEGER)
  const checked = async (signal: AbortSignal): Promise<Uint8Array> => {
    const key = await unwrap(signal)
    try {
      for (const expected of knownAnswers) await checkKnownAnswer(viewOf(key), expected)
      return key
    } catch (cause) {
      key.fill(0)
      forgetSigningKeys(backend) // they are another key's than the one that answers now
      throw cause
    }
  }
  const secret = createSecretUse({ unwrap: checked, policy: cache, timeoutMs, clock })
  // They all wait for one unwrapping, so none needs a turn of its own.
  const queue = createCallQueue({ name: NAME, concurrency: maxWaiting + 1, maxWaiting: 0, timeoutMs })
  let closing: Promise<void> | undefined
  const backend: HmacBackend = {
    name: NAME,
    hmacSha256(message, { signal } = {}) {
      const copy = Uint8Array.from(message)
      return queue.run(() => secret.use((key) => hmac(key, copy)), signal)
    },
    close() {
      queue.close()
      secret.close()
      forgetSigningKeys(backend)
      closing ??= release()
      return closing
    },
  }
  try {
    await queue.run(() => secret.use(() => undefined))
    return backend
  } catch (cause) {
    await backend.close()
    throw asBackendError(cause, NAME)
  }
}

const NAME = 'kms'

const hmac = (key: Uint8Array, message: Uint8Array): Uint8Array =>
  Uint8Array.from(createHmac('sha256', key).update(message).digest())

/** The key as the functions for known answers want it. */
export const viewOf = (key: Uint8Array): HmacBackend => ({
  name: NAME,
  hmacSha256: (message) => Promise.resolve(hmac(key, message)),
  close: () => Promise.resolve(),
})
