import { withDeadline } from './with-deadline.ts'

/** Something that ends, in milliseconds since the epoch. */
export interface Expiring {
  readonly expiresAt: number
  /** When its issuer would like to be asked for the next one. */
  readonly refreshAfter?: number
}

export interface RefreshingSourceInit<T extends Expiring> {
  fetch: (signal: AbortSignal) => Promise<T>
  /** For one call of `fetch`. */
  timeoutMs: number
  clock: () => number
  random: () => number
  /** Fires when the server closes. */
  closing: AbortSignal
  onFailure: (error: unknown) => void
  /** How long before its end a value is replaced, at the latest, in milliseconds. Default: 5 minutes. */
  earlyMs?: number
  /** How long a caller that could have the last good one waits for the next, in milliseconds. Default: 2000. */
  patienceMs?: number
}

export interface RefreshingSource<T> {
  /** @throws what `fetch` threw, where nothing valid is left. */
  get(): Promise<T>
  /** Milliseconds until the source may be asked again after a failure. */
  cooldownMs(): number
  /** Milliseconds until `get` would fetch. */
  dueInMs(): number
  /** When what is valid now ends, and whether the last fetch failed. */
  state(): { expiresAt: number | undefined; isFailing: boolean }
  /** Whether it can be forgotten without a call upstream being lost, or repeated too soon. */
  isIdle(): boolean
}

/** At most one call in so long, in milliseconds, while calls fail. */
const COOLDOWN_MS = 30_000
/** Azure and AWS SDKs take what has less than this left for expired. */
const SDK_EARLY_MS = 5 * 60_000
const JITTER_MS = 60_000
/** What ends sooner is over: the wire has whole seconds. */
const LEAST_MS = 1000

/**
 * Keeps the last good value until its true expiry. Callers that arrive together share one fetch, a new value is fetched some
 * minutes early (or after half of a short life), and a failing upstream is left alone for half a minute.
 */
export function createRefreshingSource<T extends Expiring>(init: RefreshingSourceInit<T>): RefreshingSource<T> {
  const { clock, random, timeoutMs, closing, onFailure, earlyMs = SDK_EARLY_MS, patienceMs = 2000 } = init
  let current: T | undefined
  let refreshAt = 0
  let failure: { error: unknown; at: number } | undefined
  let inFlight: Promise<T> | undefined

  const valid = (): T | undefined =>
    current !== undefined && current.expiresAt - clock() >= LEAST_MS ? current : undefined

  const cooldownMs = (): number => {
    if (failure === undefined) return 0
    const left = failure.at + COOLDOWN_MS - clock()
    return left > COOLDOWN_MS ? 0 : Math.max(0, left) // a clock that was set back does not prolong it
  }

  const fetchOnce = async (): Promise<T> => {
    try {
      const next = await withDeadline(timeoutMs, closing, init.fetch)
      const now = clock()
      if (!(next.expiresAt - now >= LEAST_MS)) throw new ExpiredError('what came is expired')
      current = next
      refreshAt = refreshTime(next, now, earlyMs + random() * JITTER_MS)
      failure = undefined
      return next
    } catch (error) {
      failure = { error, at: clock() }
      onFailure(error)
      throw error
    } finally {
      inFlight = undefined
    }
  }
  const refresh = (): Promise<T> => {
    if (inFlight === undefined) {
      inFlight = fetchOnce()
      inFlight.catch(() => {}) // nobody may be waiting
    }
    return inFlight
  }

  const get = async (): Promise<T> => {
    const held = valid()
    if (held !== undefined && clock() < refreshAt) return held
    if (inFlight === undefined && cooldownMs() > 0) {
      if (held === undefined) throw failure?.error
      return held
    }
    const next = refresh()
    if (held === undefined) return next
    if (held.expiresAt - clock() > SDK_EARLY_MS) return held
    const first = await Promise.race([next.catch(() => undefined), later(patienceMs)])
    return first ?? valid() ?? next
  }

  const dueInMs = (): number => Math.max(cooldownMs(), valid() === undefined ? 0 : refreshAt - clock(), 0)

  const state = (): ReturnType<RefreshingSource<T>['state']> => ({
    expiresAt: valid()?.expiresAt,
    isFailing: failure !== undefined,
  })

  return { get, cooldownMs, dueInMs, state, isIdle: () => inFlight === undefined && cooldownMs() === 0 }
}

/** An answer that was over when it came. */
export class ExpiredError extends Error {
  override readonly name = 'ExpiredError'
}

/** Not sooner than in half a minute (or half of what is left), as credentials that cache give the same one again. */
function refreshTime({ expiresAt, refreshAfter = Infinity }: Expiring, now: number, earlyMs: number): number {
  const left = expiresAt - now
  const early = Math.min(earlyMs, left / 2)
  return Math.max(Math.min(refreshAfter, expiresAt - early), now + Math.min(COOLDOWN_MS, left / 2))
}

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref())
}
