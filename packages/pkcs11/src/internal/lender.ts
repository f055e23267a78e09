import { Pkcs11Error } from '../errors.ts'
import type { Pkcs11Module } from '../load-module.ts'
import type { Pkcs11Session } from '../session.ts'
import { lossOf } from './rv.ts'
import type { Sessions } from './sessions.ts'
import { createWaitQueue, type Patience, within } from './wait-queue.ts'

/** What is done with a session while it is lent. */
export type Work<T> = (session: Pkcs11Session) => T | Promise<T>

/** Lends sessions, each to one caller at a time. */
export interface Lender {
  /** Runs the work at once where a session is free, and in its turn where none is. */
  lend<T>(work: Work<T>, patience: () => Patience): T | Promise<T>
  /** Refuses those who wait, and waits for work in progress. */
  close(timeoutMs: number): Promise<void>
}

export function createLender(module: Pkcs11Module, sessions: Sessions, maxWaiting: number): Lender {
  const queue = createWaitQueue<Pkcs11Session>(maxWaiting)
  const inProgress = new Set<Promise<unknown>>()
  let closed = false

  /** Takes a session back, and lends what is free to those who wait longest. */
  function settle(session: Pkcs11Session, error?: unknown): void {
    // After any answer but CKR_OK an operation may still be active in it, which has no other end.
    if (error instanceof Pkcs11Error && error.rv !== undefined) sessions.drop(session, lossOf(error.rv))
    else sessions.put(session)
    while (queue.length > 0) {
      try {
        const next = sessions.take()
        if (next === undefined) return
        queue.give(next)
      } catch (lost) {
        queue.refuse(lost as Error)
      }
    }
  }

  function run<T>(session: Pkcs11Session, work: Work<T>, patience: () => Patience): T | Promise<T> {
    let result: T | Promise<T>
    try {
      result = work(session)
    } catch (error) {
      settle(session, error)
      throw error
    }
    if (isPromise(result)) return watch(session, result, patience())
    settle(session)
    return result
  }

  /** Takes the session back when the work is done, which may be long after its caller gave up. */
  function watch<T>(session: Pkcs11Session, work: Promise<T>, patience: Patience): Promise<T> {
    const endCall = module.startCall()
    const end = (error?: unknown): void => {
      inProgress.delete(watched)
      endCall()
      settle(session, error)
    }
    const watched = work.then(() => end(), end) // before anybody else hears of it, so that a repetition finds all settled
    inProgress.add(watched)
    return within(work, patience, 'the token was at work')
  }

  async function inTurn<T>(work: Work<T>, patience: () => Patience): Promise<T> {
    const session = await queue.wait(patience())
    if (!closed) return run(session, work, patience)
    settle(session) // it came while all was being closed, and nothing may begin any more
    throw isClosed()
  }

  return {
    lend(work, patience) {
      if (closed) throw isClosed()
      const session = sessions.take()
      return session === undefined ? inTurn(work, patience) : run(session, work, patience)
    },
    async close(timeoutMs) {
      closed = true
      while (queue.length > 0) queue.refuse(isClosed())
      // A call that hangs keeps its thread: then the module is left running, as stopping it under a call may crash.
      await within(Promise.all(inProgress), { timeoutMs }, 'waiting for calls in progress').catch(() => {})
      sessions.close()
    },
  }
}

const isClosed = (): Pkcs11Error => new Pkcs11Error('ERR_PKCS11_CLOSED', 'the token was closed')

export const isPromise = <T>(it: T | Promise<T>): it is Promise<T> =>
  typeof (it as Promise<T> | undefined)?.then === 'function'
