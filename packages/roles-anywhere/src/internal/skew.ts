/** How far AWS lets clocks be apart, in milliseconds. */
const MAX_SKEW_MS = 5 * 60_000

/**
 * How far a clock is behind that of the service, in milliseconds; negative where it is ahead.
 *
 * @param date Of an answer: `Sun, 01 Nov 2026 12:00:00 GMT`.
 * @returns `undefined` within what AWS accepts, or where it can't be told.
 */
export function skewMsOf(date: string | undefined, nowMs: number): number | undefined {
  const skewMs = Date.parse(date ?? '') - nowMs
  return Math.abs(skewMs) > MAX_SKEW_MS ? skewMs : undefined
}

/** `421 s behind` */
export const skewText = (skewMs: number): string =>
  `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'behind' : 'ahead'}`
