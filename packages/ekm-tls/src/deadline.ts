import { EkmTlsError } from './errors.ts'

/** How long work may take, and who may end it before. */
export interface Deadline {
  /** Milliseconds. */
  readonly timeoutMs: number
  /** The caller's. */
  readonly signal?: AbortSignal | undefined
  /** For the message: `waiting for the answer`. */
  readonly doing: string
  /** How long work that was told to end gets to say how it ended, in milliseconds. Default: 100. */
  readonly graceMs?: number
}

const GRACE_MS = 100

/**
 * Runs work that gets a signal, and settles soon after that signal has fired, whether or not the work obeys it.
 *
 * Not `AbortSignal.any([signal, AbortSignal.timeout(ms)])`: on Node 20 the garbage collector takes such a signal away
 * while work still waits for it, and it never fires.
 *
 * @throws {EkmTlsError} `ERR_EKM_TIMEOUT`, `ERR_EKM_ABORTED`, or what the work throws.
 * @throws {RangeError} on a time that is not positive.
 */
export async function withDeadline<T>(
  { timeoutMs, signal: outer, doing, graceMs }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) {
    throw new RangeError(`"timeoutMs" must be positive, got ${timeoutMs}`)
  }
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new DOMException('too late', 'TimeoutError')), timeoutMs)
  const onAbort = (): void => controller.abort(outer?.reason)
  outer?.addEventListener('abort', onAbort, { once: true })
  if (outer?.aborted) onAbort()
  try {
    return await orAborted(controller.signal, work(controller.signal), graceMs)
  } catch (error) {
    throw controller.signal.aborted && error === controller.signal.reason
      ? deadlineError(controller.signal, doing)
      : error
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', onAbort)
  }
}

/**
 * Waits for work that should obey a signal, and does not wait for ever if it doesn't.
 *
 * @param graceMs How long the work gets to say how it ended, once the signal has fired.
 * @throws the signal's `reason`, or what the work throws.
 */
export async function orAborted<T>(signal: AbortSignal, work: Promise<T>, graceMs = GRACE_MS): Promise<T> {
  let grace: NodeJS.Timeout | undefined
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      grace = setTimeout(() => reject(signal.reason as Error), graceMs)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    clearTimeout(grace)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Why a signal of {@link withDeadline} fired, as our error. */
export function deadlineError(signal: AbortSignal, doing: string): EkmTlsError {
  return isTimeout(signal)
    ? new EkmTlsError('ERR_EKM_TIMEOUT', `timed out while ${doing}`)
    : new EkmTlsError('ERR_EKM_ABORTED', `aborted while ${doing}`)
}

/** Whether a signal fired because its time was up. */
const isTimeout = ({ reason }: AbortSignal): boolean => reason instanceof DOMException && reason.name === 'TimeoutError'
