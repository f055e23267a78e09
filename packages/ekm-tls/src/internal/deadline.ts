import { EkmTlsError } from '../errors.ts'

/** A signal that fires when the caller aborts or `timeoutMs` has passed, whichever is first. */
export function withDeadline(timeoutMs: number, signal?: AbortSignal): AbortSignal {
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0)
    throw new RangeError(`"timeoutMs" must be positive, got ${timeoutMs}`)
  const timeout = AbortSignal.timeout(timeoutMs)
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout])
}

/** Why {@link withDeadline}'s signal fired, as our error. */
export function deadlineError(signal: AbortSignal, doing: string): EkmTlsError {
  const late = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
  return late
    ? new EkmTlsError('ERR_EKM_TIMEOUT', `timed out while ${doing}`)
    : new EkmTlsError('ERR_EKM_ABORTED', `aborted while ${doing}`)
}
