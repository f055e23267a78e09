import { Pkcs11Error } from '../errors.ts'

/** How long a caller waits, and what else ends its waiting. */
export interface Patience {
  /** Milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

interface Waiter<T> {
  resolve(value: T): void
  reject(error: Error): void
}

/** Callers that wait for something to be free: first come, first served. */
export interface WaitQueue<T> {
  readonly length: number
  wait(patience: Patience): Promise<T>
  /** Gives something to the caller that waits longest. */
  give(value: T): void
  /** Tells the caller that waits longest that nothing will come. */
  refuse(error: Error): void
}

export function createWaitQueue<T>(maxWaiting: number): WaitQueue<T> {
  const waiting: Waiter<T>[] = []
  return {
    get length() {
      return waiting.length
    },
    wait(patience) {
      if (waiting.length >= maxWaiting) {
        return Promise.reject(
          new Pkcs11Error('ERR_PKCS11_OVERLOADED', `${waiting.length} calls wait for the token already`),
        )
      }
      const mine = {} as Waiter<T>
      const turn = new Promise<T>((resolve, reject) => Object.assign(mine, { resolve, reject }))
      waiting.push(mine)
      // Taken out in the same breath: what is given later must reach somebody who still wants it.
      return within(turn, patience, 'waiting for a session', () => {
        const at = waiting.indexOf(mine)
        if (at >= 0) waiting.splice(at, 1)
        return at >= 0 // otherwise it was given something just now, which must not get lost
      })
    },
    give: (value) => waiting.shift()?.resolve(value),
    refuse: (error) => waiting.shift()?.reject(error),
  }
}

/**
 * Settles as the work does, or when patience ends. The work goes on then: a call into a module can't be taken back.
 *
 * @param onGivingUp Called at the moment when patience ends; false: too late, the work is done.
 */
export function within<T>(
  work: Promise<T>,
  { timeoutMs, signal }: Patience,
  doing: string,
  onGivingUp?: () => boolean,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const giveUp = (error: Pkcs11Error): void => {
      if (onGivingUp?.() === false) return
      done()
      reject(error)
    }
    const onAbort = (): void => giveUp(new Pkcs11Error('ERR_PKCS11_ABORTED', `aborted while ${doing}`))
    const timer = setTimeout(() => giveUp(new Pkcs11Error('ERR_PKCS11_TIMEOUT', `timed out while ${doing}`)), timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    void work.then(resolve, reject).finally(done)
  })
}
