import { BrokerError } from '../errors.ts'

/** Lets at most `maxConcurrency` in at a time, and keeps at most `maxQueue` waiting, first come first served. */
export interface Gate {
  /**
   * @returns what lets the next one in; call it once.
   * @throws {BrokerError} `overloaded` when the queue is full, or when the signal fires before there is room.
   */
  enter(signal: AbortSignal): Promise<() => void>
}

export function createGate(maxConcurrency: number, maxQueue: number): Gate {
  const waiting = new Set<() => void>()
  let inside = 0
  const leave = () => {
    inside--
    const [next] = waiting
    next?.()
  }
  return {
    async enter(signal) {
      if (signal.aborted) throw new BrokerError('overloaded', 'upstream.queue')
      if (inside < maxConcurrency && waiting.size === 0) {
        inside++
        return leave
      }
      if (waiting.size >= maxQueue) throw new BrokerError('overloaded', 'upstream.queue')
      return await new Promise((resolve, reject) => {
        const admit = () => {
          waiting.delete(admit)
          signal.removeEventListener('abort', refuse)
          inside++
          resolve(leave)
        }
        const refuse = () => {
          waiting.delete(admit)
          reject(new BrokerError('overloaded', 'upstream.queue'))
        }
        waiting.add(admit)
        signal.addEventListener('abort', refuse, { once: true })
      })
    },
  }
}
