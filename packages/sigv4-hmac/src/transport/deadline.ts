/** How long work may take, and who may end it before. */
export interface Deadline {
  /** Milliseconds. */
  readonly timeoutMs: number
  /** The caller's. */
  readonly signal?: AbortSignal | undefined
  /** What is thrown when the time is up. */
  readonly onTimeout: () => Error
  /** What is thrown when the caller's signal fires. */
  readonly onAbort: () => Error
}

/**
 * Runs work that gets a signal, and settles when that signal fires, whether or not the work obeys it.
 *
 * Not `AbortSignal.any([signal, AbortSignal.timeout(ms)])`: on Node 20 the garbage collector takes such a signal away while work
 * still waits for it, and it never fires.
 */
export async function withDeadline<T>(
  { timeoutMs, signal: outer, onTimeout, onAbort }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (outer?.aborted) throw onAbort()
  const controller = new AbortController()
  let end = (_error: Error): void => {}
  const ended = new Promise<never>((_, reject) => {
    end = (error) => {
      reject(error) // first, so that what the work throws on its signal comes second
      controller.abort(error)
    }
  })
  const timer = setTimeout(() => end(onTimeout()), timeoutMs)
  const aborted = (): void => end(onAbort())
  outer?.addEventListener('abort', aborted, { once: true })
  try {
    return await Promise.race([work(controller.signal), ended])
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', aborted)
  }
}
