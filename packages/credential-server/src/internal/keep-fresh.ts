import type { RefreshingSource } from './refreshing-source.ts'

/** A timer doesn't see a clock that is set, or a machine that sleeps. */
const MOST_MS = 30_000
const LEAST_MS = 500

/**
 * Has a source fetch what comes next when it is due, whether or not anybody asks: SDKs wait one second for an answer, which may
 * be too little for a call upstream.
 */
export function keepFresh(source: RefreshingSource<unknown>, closing: AbortSignal): void {
  let timer: NodeJS.Timeout
  const again = (): void => {
    if (closing.aborted) return
    timer = setTimeout(look, Math.min(MOST_MS, Math.max(LEAST_MS, source.dueInMs()))).unref()
  }
  const look = (): void => void source.get().then(again, again)
  closing.addEventListener('abort', () => clearTimeout(timer), { once: true })
  again()
}
