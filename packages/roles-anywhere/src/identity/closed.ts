import { RolesAnywhereError } from '../errors.ts'

export const closedError = (): RolesAnywhereError => new RolesAnywhereError('ERR_RA_CLOSED', 'the identity was closed')

/**
 * Waits for what several callers may wait for, and for each no longer than his signal allows.
 *
 * @throws {RolesAnywhereError} `ERR_RA_ABORTED`
 */
export async function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work()
  assertNotAborted(signal)
  let stop: () => void = () => undefined
  const end = new Promise<never>((_, reject) => {
    stop = () => reject(abortedError())
  })
  signal.addEventListener('abort', stop)
  try {
    return await Promise.race([work(), end])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** @throws {RolesAnywhereError} `ERR_RA_ABORTED` */
export function assertNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError()
}

const abortedError = (): RolesAnywhereError =>
  new RolesAnywhereError('ERR_RA_ABORTED', 'aborted while the identity was read')
