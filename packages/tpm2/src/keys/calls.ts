import { Tpm2Error } from '../errors.ts'

/** How long a caller may wait, and how many may. */
export interface CallLimits {
  readonly timeoutMs: number
  /** Beyond so many (and the one at work) it is `ERR_TPM_OVERLOADED`. */
  readonly maxWaiting: number
}

/** Callers of one device: one at a time, first come, first served. */
export interface Calls {
  /**
   * Has the caller wait for his turn, and no longer than his deadline or his signal. Work that was begun goes on to its end all the same,
   * as no TPM stops in the middle of a command; the next one waits for that.
   *
   * @param work Gets what tells whether its caller has gone.
   */
  run<T>(work: (isOver: () => boolean) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Turns all away, and waits until none is at work. */
  close(): Promise<void>
}

interface Call {
  start(): void
  giveUp(error: Tpm2Error): void
}

export function createCalls({ timeoutMs, maxWaiting }: CallLimits): Calls {
  const waiting: Call[] = []
  let current: Call | undefined
  let closing: Promise<void> | undefined
  let onIdle = () => {}

  function next(): void {
    current = waiting.shift()
    if (current) current.start()
    else onIdle()
  }
  return {
    run(work, signal) {
      return new Promise((resolve, reject) => {
        if (closing) return reject(isClosed())
        if (signal?.aborted === true) return reject(given())
        if (current && waiting.length >= maxWaiting) return reject(overloaded(maxWaiting))
        let over = false
        const end = () => {
          over = true
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
        }
        const call: Call = {
          start() {
            const settled =
              <V>(settle: (value: V) => void) =>
              (value: V) => {
                end()
                next() // first, so that whoever asks again is not taken for one too many
                settle(value)
              }
            work(() => over).then(settled(resolve), settled(reject))
          },
          giveUp(error) {
            end()
            if (call !== current) waiting.splice(waiting.indexOf(call), 1)
            reject(error)
          },
        }
        const onAbort = () => call.giveUp(given())
        const timer = setTimeout(() => call.giveUp(late(timeoutMs)), timeoutMs)
        signal?.addEventListener('abort', onAbort)
        waiting.push(call)
        if (!current) next()
      })
    },
    close() {
      closing ??= new Promise((resolve) => {
        onIdle = resolve
        current?.giveUp(isClosed())
        for (const call of [...waiting]) call.giveUp(isClosed())
        if (!current) resolve()
      })
      return closing
    },
  }
}

const isClosed = () => new Tpm2Error('ERR_TPM_CLOSED', 'closed')
const given = () => new Tpm2Error('ERR_TPM_ABORTED', 'the caller gave up')
const late = (ms: number) => new Tpm2Error('ERR_TPM_TIMEOUT', `no answer in ${ms} ms`)
const overloaded = (most: number) => new Tpm2Error('ERR_TPM_OVERLOADED', `${most} requests wait already`)
