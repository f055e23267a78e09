/** Timers stand still while a machine sleeps, so that the clock is looked at again after so long, in milliseconds. */
const LOOK_MS = 60_000

/**
 * Waits until it is `at` by the clock on the wall, in milliseconds since the epoch, or so long has passed, whichever is first: a
 * machine that wakes up late goes on at once, and a clock that was set back delays nothing. Returns early when `signal` fires.
 */
export async function waitUntil(at: number, clock: () => number, signal: AbortSignal): Promise<void> {
  const steady = performance.now() + at - clock()
  while (!signal.aborted) {
    const left = Math.min(at - clock(), steady - performance.now())
    if (left <= 0) return
    await pause(Math.min(left, LOOK_MS), signal)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.ceil(ms))
    signal.addEventListener('abort', done)
  })
}
