import { type Entry, LONGEST_MS } from './entry.ts'

/** AWS SDKs take keys with less than this left for expired, in milliseconds. */
export const LEAST_LEFT_MS = 5 * 60_000
/** botocore asks again for keys with less than this left, in milliseconds: it should then get new ones. */
const MOST_EARLY_MS = 15 * 60_000
const JITTER_MS = 60_000
/** Clocks of one machine are not set back by more, in milliseconds, without our knowing nothing any more. */
const CLOCK_MS = 60_000

/** How long a set is good still, in milliseconds; 0 when a clock was set, so that its end may mean anything. */
export function leftMs({ keys, storedAt }: Entry, now: number): number {
  const end = keys.expiration.getTime()
  if (storedAt > now + CLOCK_MS || end - storedAt > LONGEST_MS) return 0
  return Math.max(0, end - now)
}

/** Whether nobody needs to fetch yet: not in the last quarter of its life, which counts as 5 to 15 minutes, and up to one more. */
export function isFresh(entry: Entry, now: number, random: number): boolean {
  const life = entry.keys.expiration.getTime() - entry.storedAt
  const early = Math.max(LEAST_LEFT_MS, Math.min(life / 4, MOST_EARLY_MS))
  return leftMs(entry, now) > early + random * JITTER_MS
}
