import { SigV4Error } from './errors.ts'
import type { HmacBackend } from './hmac-backend.ts'
import { HmacBackendError } from './hmac-backend-error.ts'
import { deriveSigningKey, type SigningKey } from './signing-key.ts'

const DAY_MS = 86_400_000
/** How long after midnight yesterday's keys may still be asked for: as long as AWS accepts a late clock. */
const AFTER_MIDNIGHT_MS = 15 * 60_000
const MAX_SCOPES = 50

/** Keys by `20260822/us-east-1/sts`. */
export interface SigningKeys {
  /** Zeroes all that there is. */
  forget(): void
  /** The key if it is at hand. */
  ready(scope: string): SigningKey | undefined
  /**
   * The key, derived if need be. Callers that arrive together share one call of the backend; a failure is forgotten.
   *
   * @param nowMs The clock: a day that is not today or one next to it is refused, so that nobody collects keys of days to come.
   * @throws {SigV4Error} `ERR_SIGV4_DAY`
   * @throws {HmacBackendError}
   */
  get(scope: string, nowMs: number): Promise<SigningKey>
}

interface Entry {
  key: SigningKey | undefined
  readonly pending: Promise<SigningKey>
  readonly endsMs: number
}

const sources = new WeakMap<HmacBackend, SigningKeys>()

/** One set of keys for each backend, whoever signs with it. */
export function signingKeysOf(backend: HmacBackend): SigningKeys {
  let keys = sources.get(backend)
  if (keys === undefined) {
    keys = createSigningKeys(backend)
    sources.set(backend, keys)
  }
  return keys
}

/**
 * Zeroes the keys that were derived from a backend's answers. Backends call it when they are closed, and when another key or device
 * than the enrolled one answers: nothing is signed any more then without asking them.
 */
export function forgetSigningKeys(backend: HmacBackend): void {
  sources.get(backend)?.forget()
}

/** See {@link SigningKeys}. Keys are zeroed when their day is over, and the oldest of more than 50. */
export function createSigningKeys(backend: HmacBackend): SigningKeys {
  const entries = new Map<string, Entry>()
  let timer: NodeJS.Timeout | undefined

  const drop = (scope: string, entry: Entry) => {
    if (entries.get(scope) === entry) entries.delete(scope)
    // Those who wait for it have their turn first. A failure has nothing to zero.
    entry.pending.then((key) => setImmediate(() => key.wipe())).catch(() => {})
  }
  const prune = (nowMs: number) => {
    for (const [scope, entry] of entries) if (entry.endsMs <= nowMs) drop(scope, entry)
    // Those that are still waited for stay: their callers would only ask again.
    const done = [...entries].filter(([, entry]) => entry.key !== undefined)
    for (const [scope, entry] of done.slice(0, Math.max(entries.size - MAX_SCOPES, 0))) drop(scope, entry)
    clearTimeout(timer)
    const ends = [...entries.values()].map((entry) => entry.endsMs)
    if (ends.length === 0) return
    const wait = Math.max(Math.min(...ends) - nowMs, 1000)
    timer = setTimeout(() => prune(nowMs + wait), wait).unref()
  }

  return {
    forget: () => {
      for (const [scope, entry] of entries) drop(scope, entry)
      clearTimeout(timer)
    },
    ready: (scope) => entries.get(scope)?.key,
    get(scope, nowMs) {
      const startsMs = dayStart(scope)
      if (Number.isNaN(startsMs) || Math.abs(startsMs - Math.floor(nowMs / DAY_MS) * DAY_MS) > DAY_MS) {
        return Promise.reject(new SigV4Error('ERR_SIGV4_DAY', `${printable(scope)} is not a day next to today`))
      }
      let entry = entries.get(scope)
      if (entry === undefined) {
        const pending = derive(backend, scope)
        const made: Entry = { key: undefined, pending, endsMs: startsMs + DAY_MS + AFTER_MIDNIGHT_MS }
        entry = made
        entries.set(scope, made)
        pending.then(
          (key) => {
            made.key = key
          },
          () => drop(scope, made),
        )
        prune(nowMs)
      }
      return entry.pending
    },
  }
}

async function derive(backend: HmacBackend, scope: string): Promise<SigningKey> {
  const [day = '', region = '', service = ''] = scope.split('/')
  const kDate = await backend.hmacSha256(new TextEncoder().encode(day))
  if (kDate.length !== 32) {
    throw new HmacBackendError('ERR_HMAC_RESPONSE', `${backend.name}: a tag of ${kDate.length} octets`)
  }
  return deriveSigningKey(kDate, region, service)
}

/** Milliseconds since 1970 at which the scope's day starts, or NaN. */
function dayStart(scope: string): number {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)\//.exec(scope) ?? []
  const startsMs = Date.parse(`${year}-${month}-${day}T00:00:00Z`)
  return scope.split('/').length === 3 ? startsMs : Number.NaN
}

const printable = (scope: string): string => JSON.stringify(scope.slice(0, 8))
