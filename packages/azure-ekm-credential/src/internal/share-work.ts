import type { GetTokenOptions } from '@azure/core-auth'
import { EkmCredentialError } from '../errors.ts'

/** Until when somebody waits. */
export interface Caller {
  readonly abortSignal?: GetTokenOptions['abortSignal']
  /** Milliseconds; 0 or nothing: as long as it takes. */
  readonly timeoutMs?: number | undefined
}

/** The longest that Node's timers can wait; what is longer fires at once. */
export const MAX_TIMER_MS = 2_147_483_647

/** Work that several callers wait for. */
export interface SharedWork<T> {
  /**
   * Waits for the outcome. Whoever leaves early leaves alone, but when the last one has left, the work is told to end.
   *
   * @throws {Error} named `AbortError`, when the caller's signal fires.
   * @throws {EkmCredentialError} `ERR_EKM_TIMEOUT`, when the caller's time is over, or what the work throws.
   */
  join(caller: Caller): Promise<T>
}

/**
 * Starts work.
 *
 * @param onOver Called when nobody may join any more, be it that the work is done or that nobody wants it; maybe twice.
 */
export function shareWork<T>(run: (signal: AbortSignal) => Promise<T>, onOver: () => void): SharedWork<T> {
  const controller = new AbortController()
  const outcome = run(controller.signal).finally(onOver)
  outcome.catch(() => {}) // nobody may be left to hear of it
  let waiting = 0
  return {
    async join(caller) {
      waiting++
      try {
        return await orLeave(outcome, caller)
      } finally {
        if (--waiting === 0) {
          onOver()
          controller.abort()
        }
      }
    },
  }
}

async function orLeave<T>(outcome: Promise<T>, { abortSignal, timeoutMs = 0 }: Caller): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let onAbort = (): void => {}
  const left = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(abortError())
    abortSignal?.addEventListener('abort', onAbort)
    if (timeoutMs > 0) timer = setTimeout(() => reject(tooLate()), Math.min(timeoutMs, MAX_TIMER_MS))
  })
  try {
    return await Promise.race([outcome, left])
  } finally {
    clearTimeout(timer)
    abortSignal?.removeEventListener('abort', onAbort)
  }
}

/** What Azure's clients expect of whatever was aborted: the name is all they look at. */
export const abortError = (): Error =>
  Object.assign(new Error('waiting for a token was aborted'), { name: 'AbortError' })

const tooLate = (): EkmCredentialError =>
  new EkmCredentialError('ERR_EKM_TIMEOUT', 'no token within the time that this call had')
