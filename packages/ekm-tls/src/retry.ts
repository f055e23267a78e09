import { setTimeout as delay } from 'node:timers/promises'
import { BrokerClientError } from './client-errors.ts'
import { EkmTlsError } from './errors.ts'

/** How often, and for how long. */
export interface RetryInit {
  /** Tries in all. Default: 3. */
  maxAttempts?: number
  /** Longest wait between two tries, in milliseconds, also where the broker asks for more. Default: 5 000. */
  maxDelayMs?: number
  signal?: AbortSignal
}

/**
 * Tries again where that can help: the broker is overloaded, restarting or unreachable (429, 503, no connection). A
 * refusal is final. Each try is a whole new one, with its own connection and its own attestation.
 * Waits are as long as `Retry-After` says, otherwise random up to 200 ms, 400 ms … (full jitter).
 */
export async function retrying<T>(attempt: () => Promise<T>, init: RetryInit = {}): Promise<T> {
  const { maxAttempts = 3, maxDelayMs = 5_000, signal } = init
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (tries >= maxAttempts || !isTransient(error)) throw error
      const asked = error instanceof BrokerClientError ? error.refusal?.retryAfterSeconds : undefined
      const wait = asked === undefined ? Math.random() * 100 * 2 ** tries : asked * 1000
      await delay(Math.min(wait, maxDelayMs), undefined, signal === undefined ? {} : { signal })
    }
  }
}

const TRANSIENT_STATUS = new Set([429, 503])
const TRANSIENT_CODE = new Set(['ERR_EKM_UNREACHABLE', 'ERR_EKM_CLOSED'])

function isTransient(error: unknown): boolean {
  if (error instanceof BrokerClientError) return TRANSIENT_STATUS.has(error.refusal?.status ?? 0)
  return error instanceof EkmTlsError && TRANSIENT_CODE.has(error.code)
}
