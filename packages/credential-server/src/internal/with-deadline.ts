/** The time limit passed, or the server closed. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/** Runs `work` for so long; its signal fires then. Work that looks at no signal is left to itself, and its outcome is dropped. */
export async function withDeadline<T>(
  timeoutMs: number,
  closing: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  let stop: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const stopped = new Promise<never>((_, reject) => {
    stop = () => {
      controller.abort()
      reject(new DeadlineError(closing.aborted ? 'the server closes' : 'no answer in time'))
    }
    timer = setTimeout(stop, timeoutMs)
    closing.addEventListener('abort', stop)
  })
  try {
    if (closing.aborted) stop?.()
    return await Promise.race([stopped, closing.aborted ? stopped : work(controller.signal)])
  } finally {
    clearTimeout(timer)
    if (stop !== undefined) closing.removeEventListener('abort', stop)
  }
}
