import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'

/** Callers of one device. They wait in the device's own queue, first come, first served. */
export interface Calls {
  /**
   * Runs work with a signal that fires when the deadline passes, the caller gives up, or everything is closed. Whichever comes first is
   * the outcome; work that goes on meanwhile still counts.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Turns all away, and waits until none is at work. */
  close(): Promise<void>
}

/** How long a caller may wait, and how many may. */
export interface CallLimits {
  readonly timeoutMs: number
  /** Beyond so many (and the one at work) it is `ERR_HMAC_OVERLOADED`. */
  readonly maxWaiting: number
}

export function createCalls({ timeoutMs, maxWaiting }: CallLimits): Calls {
  const running = new Map<Promise<unknown>, AbortController>()
  let closed = false
  return {
    async run(work, signal) {
      if (closed) throw new HmacBackendError('ERR_HMAC_CLOSED', 'tpm: closed')
      if (signal?.aborted === true) throw given()
      if (running.size > maxWaiting) {
        throw new HmacBackendError('ERR_HMAC_OVERLOADED', `tpm: ${maxWaiting} requests wait already`)
      }
      const controller = new AbortController()
      const stopped = new Promise<never>((_, reject) => {
        controller.signal.addEventListener('abort', () => reject(controller.signal.reason as HmacBackendError))
      })
      const timer = setTimeout(() => controller.abort(late(timeoutMs)), timeoutMs)
      const giveUp = () => controller.abort(given())
      signal?.addEventListener('abort', giveUp)
      const result = work(controller.signal)
      running.set(result, controller)
      const done = () => running.delete(result)
      result.then(done, done)
      try {
        return await Promise.race([result, stopped])
      } catch (error) {
        throw controller.signal.aborted ? controller.signal.reason : error
      } finally {
        clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
      }
    },
    async close() {
      closed = true
      for (const controller of running.values())
        controller.abort(new HmacBackendError('ERR_HMAC_CLOSED', 'tpm: closed'))
      await Promise.allSettled(running.keys())
    },
  }
}

const given = () => new HmacBackendError('ERR_HMAC_ABORTED', 'tpm: the caller gave up')
const late = (ms: number) => new HmacBackendError('ERR_HMAC_TIMEOUT', `tpm: no answer in ${ms} ms`)
