import { withDeadline } from '../internal/with-deadline.ts'
import { assertUpdate, type UpdateProfileInit, updateProfile } from '../update-profile.ts'
import { CredentialsFileError } from './errors.ts'
import type { AwsKeys } from './keys.ts'
import { refreshInMs, retryInMs } from './schedule.ts'
import { waitUntil } from './wait-until.ts'

/** What {@link startUpdating} needs to know. */
export interface StartUpdatingInit extends Omit<UpdateProfileInit, 'credentials'> {
  /** Where keys come from: any credential provider of an AWS SDK. It must not cache them past their last five minutes. */
  provider: () => Promise<AwsKeys>
  /** Write once, and be done. Default: false. */
  once?: boolean
  /** How long one call of the provider may take, in milliseconds, 100 to 600 000. Default: 60 000. */
  providerTimeoutMs?: number
  /** Told of each write and each failure. Nothing in it is secret; what it throws is ignored. */
  onEvent?: (event: UpdaterEvent) => void
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: () => number
  /** A number from 0 up to 1, for jitter. Default: `Math.random`. */
  random?: () => number
}

/** One line for a log. */
export interface UpdaterEvent {
  /** `updated`: the profile is current. `failed`: it has the last keys still. */
  type: 'updated' | 'failed'
  file: string
  profile: string
  /** What failed: getting keys, or writing them. */
  stage?: 'provider' | 'file'
  /** The error's own code, where it has one of the form `ERR_…`. */
  code?: string
  /** When the keys end, where they do. */
  expiration?: Date
  /** When the next ones are fetched. Not with `once`. */
  nextAt?: Date
}

/** An updater that {@link startUpdating} started. */
export interface Updater {
  /**
   * Resolves when it was stopped, or has written `once`.
   * Rejects with what went wrong, with `once` only: else it tries again until it is stopped.
   */
  readonly done: Promise<void>
  /** Stops it. A write that was begun is finished. */
  stop(): Promise<void>
}

/**
 * Keeps one profile of a shared credentials file current. New keys are fetched 5 to 6 minutes before the last ones end (after
 * half of a life shorter than that, and never more often than every 30 seconds). When that fails, the file keeps what it has,
 * and the next try follows after 5 seconds, then later and later, up to every 5 minutes.
 *
 * @throws {TypeError | RangeError} on an option that can't be right.
 */
export function startUpdating(init: StartUpdatingInit): Updater {
  assertUpdate(init)
  const { provider, once = false, providerTimeoutMs = 60_000, signal } = init
  if (typeof provider !== 'function') throw new TypeError('"provider" must be a function')
  if (!(providerTimeoutMs >= 100 && providerTimeoutMs <= 600_000)) {
    throw new RangeError('"providerTimeoutMs" must be 100 to 600000')
  }
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  signal?.addEventListener('abort', stop)
  if (signal?.aborted === true) stop()
  const work = once ? updateOnce(init, stopping.signal) : keepUpdating(init, stopping.signal)
  const done = work.finally(() => signal?.removeEventListener('abort', stop))
  done.catch(() => {}) // theirs to look at
  return {
    done,
    stop: async () => {
      stop()
      await done.catch(() => {})
    },
  }
}

async function updateOnce(init: StartUpdatingInit, stopping: AbortSignal): Promise<void> {
  const event = eventOf(init)
  try {
    const { expiration } = await fetchAndWrite(init, stopping)
    emit(init, { ...event, type: 'updated', ...(expiration === undefined ? {} : { expiration }) })
  } catch (error) {
    if (stopping.aborted) return
    emit(init, { ...event, type: 'failed', ...reasonOf(error) })
    throw error instanceof ProviderError ? error.cause : error
  }
}

async function keepUpdating(init: StartUpdatingInit, stopping: AbortSignal): Promise<void> {
  const { clock = Date.now, random = Math.random } = init
  const event = eventOf(init)
  let failures = 0
  while (!stopping.aborted) {
    let nextAt: number
    try {
      const { expiration } = await fetchAndWrite(init, stopping, clock)
      failures = 0
      const now = clock()
      nextAt = now + refreshInMs(expiration?.getTime(), now, random())
      const ends = expiration === undefined ? {} : { expiration }
      emit(init, { ...event, type: 'updated', ...ends, nextAt: new Date(nextAt) })
    } catch (error) {
      if (stopping.aborted) return
      failures += 1
      nextAt = clock() + retryInMs(failures, random())
      emit(init, { ...event, type: 'failed', ...reasonOf(error), nextAt: new Date(nextAt) })
    }
    await waitUntil(nextAt, clock, stopping)
  }
}

/** @param clock With it, keys that are over, or whose end can't be read, are an error: good ones may be in the file. */
async function fetchAndWrite(init: StartUpdatingInit, stopping: AbortSignal, clock?: () => number): Promise<AwsKeys> {
  const { provider, providerTimeoutMs = 60_000, onEvent: _, once: __, ...rest } = init
  let credentials: AwsKeys
  try {
    credentials = await withDeadline(providerTimeoutMs, stopping, async () => await provider())
  } catch (cause) {
    throw new ProviderError('the provider gave no keys', { cause })
  }
  const end = credentials?.expiration?.getTime()
  if (clock !== undefined && end !== undefined && !(end > clock())) {
    const why = Number.isNaN(end) ? 'have an end that is no date' : 'are expired'
    throw new CredentialsFileError('ERR_CREDENTIALS_FILE_CREDENTIALS', `the keys that came ${why}`)
  }
  await updateProfile({ ...rest, credentials, signal: stopping })
  return credentials
}

/** Tells the provider's errors from the file's. Its `cause` is the caller's own and goes back to it alone. */
class ProviderError extends Error {
  override readonly name = 'ProviderError'
}

function reasonOf(error: unknown): Pick<UpdaterEvent, 'stage' | 'code'> {
  const own = error instanceof ProviderError ? error.cause : error
  const code = own instanceof Error && 'code' in own ? own.code : undefined
  const theirs = error instanceof ProviderError || code === 'ERR_CREDENTIALS_FILE_CREDENTIALS'
  return {
    stage: theirs ? 'provider' : 'file',
    ...(typeof code === 'string' && /^ERR_\w{1,60}$/.test(code) ? { code } : {}),
  }
}

function eventOf({ file, profile }: StartUpdatingInit): Pick<UpdaterEvent, 'file' | 'profile'> {
  return { file, profile }
}

function emit({ onEvent }: StartUpdatingInit, event: UpdaterEvent): void {
  try {
    onEvent?.(event)
  } catch {
    // a log that fails stops nothing
  }
}
