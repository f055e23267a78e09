import { BrokerError } from '../errors.ts'
import type { EntraApplication } from './entra-exchange.ts'

/** Milliseconds that a no to one scope stands. */
const REFUSED_MS = 10_000

/** Whether Entra may be asked. It is left alone while it said so; and a no stands for a while, as who asks in a loop is throttled. */
export interface EntraPatience {
  /** @throws {BrokerError} `upstream.throttled`; or the no, with `attempts` 0. */
  assertMayAsk(application: EntraApplication, key: string): void
  /** What came of asking. */
  note(application: EntraApplication, key: string, error: unknown): void
}

interface Pause {
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly until: number
  readonly error: BrokerError
}

export function createEntraPatience(clock: () => number): EntraPatience {
  const throttled = new Map<EntraApplication, Pause>()
  const refused = new Map<string, Pause>()
  /** A clock that was set back ends a pause. */
  const holds = ({ since, until }: Pause): boolean => since <= clock() && clock() < until
  const pause = (error: BrokerError, ms: number): Pause => ({ since: clock(), until: clock() + ms, error })

  return {
    assertMayAsk(application, key) {
      const wait = throttled.get(application)
      if (wait !== undefined && holds(wait)) {
        const retryAfterSeconds = Math.ceil((wait.until - clock()) / 1000)
        throw new BrokerError('upstream_unavailable', 'upstream.throttled', { retryAfterSeconds })
      }
      const no = refused.get(key)
      if (no === undefined || !holds(no)) return
      const { code, reason, facts } = no.error
      throw new BrokerError(code, reason, { facts: { ...facts, attempts: 0 } })
    },
    note(application, key, error) {
      if (!(error instanceof BrokerError)) return
      const { code, reason, retryAfterSeconds = 0 } = error
      if (reason === 'upstream.throttled') throttled.set(application, pause(error, retryAfterSeconds * 1000))
      // Our credentials concern all scopes alike, and may be mended at any time.
      if (code !== 'upstream_rejected' || reason === 'upstream.credentials') return
      for (const [other, no] of refused) if (!holds(no)) refused.delete(other)
      refused.set(key, pause(error, REFUSED_MS))
    },
  }
}
