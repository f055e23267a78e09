import { systemClock } from './defaults.ts'
import { AttestationError } from './errors.ts'
import { abortable } from './internal/abortable.ts'
import { httpsGet } from './internal/https-get.ts'
import { MAX_JWKS_BYTES, parseJwks } from './internal/jwks.ts'
import type { KeySource, VerificationKey } from './key-source.ts'

/** What operators want to hear of. */
export type KeySetAlarm =
  | 'refresh_failed' // the issuer's keys could not be read; the last good ones stay
  | 'keys_expired' // they could not be read for `maxStaleSeconds`: nothing can be verified

/** Options of {@link createRemoteKeySet}. */
export interface RemoteKeySetInit {
  /** Of the JWK set; https only. Take it from documentation, never from a token. */
  readonly url: string
  /** PEM of the only authorities to trust for this URL. Default: those of Node. */
  readonly ca?: string | Buffer
  /** Milliseconds since the epoch. Default: the machine's clock. */
  readonly clock?: () => number
  /** Time between two fetches that unknown keys or failures ask for, seconds. Default: 30. */
  readonly minRefreshSeconds?: number
  /** How long the last good set serves while the issuer can't be reached, seconds. Default: 86400. */
  readonly maxStaleSeconds?: number
  /** Deadline of one fetch, milliseconds. Default: 5000. */
  readonly timeoutMs?: number
  /** Called once for every failed fetch, and when the set has expired. It must not throw. */
  readonly onAlarm?: (event: KeySetAlarm) => void
}

interface KeySet {
  readonly keys: ReadonlyMap<string, VerificationKey>
  readonly fetchedAt: number
  /** Milliseconds after `fetchedAt`. */
  readonly freshFor: number
}

const MINUTE = 60_000
/** Bounds of what `Cache-Control` may say, and what holds without it, milliseconds. */
const FRESH = { min: 5 * MINUTE, max: 60 * MINUTE, default: 10 * MINUTE }
/** Between two tries while there have never been any keys, milliseconds: nothing works until there are. */
const FIRST_RETRY = 1000

/**
 * An issuer's keys, fetched over HTTPS when they are needed and kept as long as the issuer allows, 5 to 60 minutes. One
 * fetch at a time, shared by all who wait; an unknown key asks for one, at most every `minRefreshSeconds`. When a fetch
 * fails, the last good set serves on, up to `maxStaleSeconds`. There are no timers: `ready()` starts what is due.
 *
 * @throws {TypeError} for a URL that is not https.
 * @throws {RangeError} for a number of seconds or milliseconds that is not positive.
 */
export function createRemoteKeySet(init: RemoteKeySetInit): KeySource {
  const { clock = systemClock, minRefreshSeconds = 30, maxStaleSeconds = 86_400, timeoutMs = 5000, onAlarm } = init
  const url = httpsUrl(init.url)
  requirePositive({ minRefreshSeconds, maxStaleSeconds, timeoutMs })

  let current: KeySet | undefined
  let pending: Promise<void> | undefined
  let lastTry: number | undefined

  const isFresh = (set: KeySet): boolean => isWithin(clock() - set.fetchedAt, set.freshFor)
  const usable = (): KeySet | undefined =>
    current !== undefined && isWithin(clock() - current.fetchedAt, maxStaleSeconds * 1000) ? current : undefined
  const mayTry = (): boolean =>
    lastTry === undefined ||
    !isWithin(clock() - lastTry, current === undefined ? FIRST_RETRY : minRefreshSeconds * 1000)

  /** Joins the fetch under way, starts one where that is allowed, or does nothing. Never fails. */
  function refresh(): Promise<void> | undefined {
    if (pending === undefined && mayTry()) {
      lastTry = clock()
      pending = fetchKeys().finally(() => {
        pending = undefined
      })
    }
    return pending
  }

  async function fetchKeys(): Promise<void> {
    try {
      const { body, maxAge } = await httpsGet({ url, ca: init.ca, timeoutMs, maxBytes: MAX_JWKS_BYTES })
      current = { keys: parseJwks(body), fetchedAt: clock(), freshFor: clampFreshness(maxAge) }
    } catch {
      onAlarm?.('refresh_failed')
      if (current !== undefined && usable() === undefined) onAlarm?.('keys_expired')
    }
  }

  return {
    async getKey(kid, options) {
      const known = current !== undefined && isFresh(current) ? current.keys.get(kid) : undefined
      if (known !== undefined) return known
      await abortable(refresh(), options?.signal)
      const set = usable()
      if (set === undefined) {
        throw new AttestationError('ERR_ATTESTATION_KEYS_UNAVAILABLE', undefined, `no keys from ${url.host}`)
      }
      return set.keys.get(kid)
    },
    ready() {
      if (current === undefined || !isFresh(current)) void refresh()
      return usable() !== undefined
    },
  }
}

/** Whether an age lies in `[0, limit)`. A clock that was set back makes ages negative: that counts as too old. */
const isWithin = (age: number, limit: number): boolean => age >= 0 && age < limit

function clampFreshness(maxAgeSeconds: number | undefined): number {
  if (maxAgeSeconds === undefined) return FRESH.default
  return Math.min(Math.max(maxAgeSeconds * 1000, FRESH.min), FRESH.max)
}

function httpsUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw new TypeError('"url" must be an https URL without user name and password')
  }
  return url
}

function requirePositive(options: Record<string, number>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(value > 0)) throw new RangeError(`"${name}" must be positive`)
  }
}
