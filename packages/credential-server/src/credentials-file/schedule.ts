/** AWS SDKs take keys with less than this left for expired, in milliseconds. */
export const EARLY_MS = 5 * 60_000
const JITTER_MS = 60_000
/** Providers that cache may give the same keys again: they are not asked more often, in milliseconds. */
const LEAST_MS = 30_000
/** When keys that never end are looked at again, in milliseconds. */
const LASTING_MS = 15 * 60_000
const FIRST_RETRY_MS = 5_000
const LAST_RETRY_MS = 250_000

/** How long keys are good before the next ones are fetched: until 5 to 6 minutes before their end, or half of a short life. */
export function refreshInMs(expiresAt: number | undefined, now: number, random: number): number {
  if (expiresAt === undefined) return LASTING_MS + random * JITTER_MS
  const left = expiresAt - now
  return Math.max(left - Math.min(EARLY_MS + random * JITTER_MS, left / 2), LEAST_MS)
}

/** 5 seconds after the first failure, twice that after the next, 5 minutes at most; up to a fifth more, at random. */
export function retryInMs(failures: number, random: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10), LAST_RETRY_MS) * (1 + 0.2 * random)
}
