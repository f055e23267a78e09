import { Tpm2Error } from '../errors.ts'

/**
 * Waits for work until the caller's signal fires. The work goes on; what it ends with then is dropped.
 *
 * @throws {Tpm2Error} `ERR_TPM_ABORTED`, or what the work throws.
 */
export async function orAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work
  work.catch(() => {})
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(abortedError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The error for a signal that has fired. */
export function abortedError(signal: AbortSignal | undefined): Tpm2Error {
  return new Tpm2Error('ERR_TPM_ABORTED', 'the caller did not wait any longer', { cause: signal?.reason })
}

/**
 * Runs work that gets a signal, which fires after a time; waits no longer than that, even if the work does not obey.
 *
 * @param controller Works that can't go on after one of them was late may share one.
 * @throws {Tpm2Error} `ERR_TPM_TIMEOUT`, or what the work throws.
 */
export async function withinTime<T>(
  timeoutMs: number,
  doing: string,
  work: (signal: AbortSignal) => Promise<T>,
  controller = new AbortController(),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new Tpm2Error('ERR_TPM_TIMEOUT', `${doing}: no answer in ${timeoutMs} ms`)
      controller.abort(error)
      reject(error)
    }, timeoutMs)
  })
  try {
    const working = work(controller.signal)
    working.catch(() => {})
    return await Promise.race([working, late])
  } finally {
    clearTimeout(timer)
  }
}

/** @throws {RangeError} on a time that is not a positive number of milliseconds. */
export function assertTimeout(what: string, timeoutMs: number): void {
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0 || timeoutMs > 2 ** 31 - 1) {
    throw new RangeError(`"${what}" must be a positive number of milliseconds`)
  }
}
