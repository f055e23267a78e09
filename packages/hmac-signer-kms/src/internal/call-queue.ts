import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'

/** Runs calls first come, first served: so many at once, so many waiting, each with a deadline. */
export interface CallQueue {
  /** @param work Its signal fires at the deadline, when the caller gives up, and on close. @throws {HmacBackendError} */
  run<T>(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Ends everything under way with `ERR_HMAC_CLOSED`. A second call does nothing. */
  close(): void
}

interface Job {
  start(): void
  stop(code: HmacBackendErrorCode): void
}

/** @param o.name Of the backend, for messages. @param o.timeoutMs For waiting and work together. */
export function createCallQueue(o: {
  name: string
  concurrency: number
  maxWaiting: number
  timeoutMs: number
}): CallQueue {
  const { name, concurrency, maxWaiting, timeoutMs } = o
  const waiting = new Set<Job>()
  const running = new Set<Job>()
  let closed = false

  const fail = (code: HmacBackendErrorCode): HmacBackendError => new HmacBackendError(code, `${name}: ${WHY[code]}`)
  const startNext = (): void => {
    const [job] = waiting
    if (job === undefined || running.size >= concurrency) return
    waiting.delete(job)
    running.add(job)
    job.start()
  }

  return {
    run(work, signal) {
      if (closed) return Promise.reject(fail('ERR_HMAC_CLOSED'))
      if (signal?.aborted) return Promise.reject(fail('ERR_HMAC_ABORTED'))
      if (running.size >= concurrency && waiting.size >= maxWaiting) return Promise.reject(fail('ERR_HMAC_OVERLOADED'))
      return new Promise((resolve, reject) => {
        const controller = new AbortController()
        const onAbort = (): void => job.stop('ERR_HMAC_ABORTED')
        const timer = setTimeout(() => job.stop('ERR_HMAC_TIMEOUT'), timeoutMs)
        const finish = (): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
          waiting.delete(job)
          if (running.delete(job)) startNext()
        }
        const job: Job = {
          start() {
            work(controller.signal).then(
              (result) => {
                finish() // first: whoever waits for this one may call again at once
                resolve(result)
              },
              (cause: unknown) => {
                finish()
                reject(asBackendError(cause, name))
              },
            )
          },
          stop(code) {
            reject(fail(code)) // first: what the work then throws is not the reason
            finish()
            controller.abort()
          },
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        waiting.add(job)
        startNext()
      })
    },
    close() {
      closed = true
      for (const job of [...waiting, ...running]) job.stop('ERR_HMAC_CLOSED')
    },
  }
}

const WHY: { readonly [code in HmacBackendErrorCode]?: string } = {
  ERR_HMAC_CLOSED: 'closed',
  ERR_HMAC_ABORTED: 'the caller gave up',
  ERR_HMAC_OVERLOADED: 'too many calls are waiting',
  ERR_HMAC_TIMEOUT: 'no answer in time',
}

/** A cloud SDK's error may hold headers and bodies, so it is never passed on as a cause. */
export function asBackendError(cause: unknown, name: string): HmacBackendError {
  if (cause instanceof HmacBackendError) return cause
  return new HmacBackendError(
    'ERR_HMAC_RESPONSE',
    `${name}: unexpected ${cause instanceof Error ? cause.name : 'error'}`,
  )
}
