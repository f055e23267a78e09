import * as fs from 'node:fs/promises'
import type { CacheKey } from './cache/cache-name.ts'
import { processCacheOn } from './cache/process-cache-on.ts'
import type { AwsKeys } from './credentials-file/keys.ts'

/** What {@link processCache} needs to know. */
export interface ProcessCacheInit {
  /** Folder that is the cache's alone and this user's alone (0700). It is made where there is none. */
  directory: string
  /** How long to wait for another process that fetches the same session, in milliseconds, 0 to 600 000. Default: 10 000. */
  lockTimeoutMs?: number
  /** Told when the cache was of no use. Nothing in it is secret; what it throws is ignored. */
  onEvent?: (event: ProcessCacheEvent) => void
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: () => number
  /** A number from 0 up to 1, for jitter. Default: `Math.random`. */
  random?: () => number
}

/** One line for a log. */
export interface ProcessCacheEvent {
  /**
   * `unavailable`: the folder could not be used. `not-stored`: new keys could not be written. `fetch-failed`: there are no new
   * keys, and the last ones are served, which are good still.
   */
  type: 'unavailable' | 'not-stored' | 'fetch-failed'
  /** The error's own code: `ENOSPC`, `ERR_RA_TIMEOUT`. */
  code?: string
}

/** A cache that {@link processCache} made. */
export interface ProcessCache {
  /**
   * Gives the keys of one session: kept ones while more than 5 minutes (or, if that is more, a quarter of their life, up to 15
   * minutes) of them are left, and up to a minute more at random; else what `fetch` gives. Only one process at a time fetches.
   *
   * @param key Everything that decides the session: role, duration, name, region, which certificate or device. No secrets.
   * @throws {TypeError} on a key that is not JSON.
   * @throws {ProcessCacheError} `ERR_CACHE_UNSAFE`; no other trouble of the cache keeps anybody from keys.
   * @throws what `fetch` threw, where less than a minute of the kept keys is left.
   */
  through(key: CacheKey, fetch: () => Promise<AwsKeys>): Promise<AwsKeys>
  /**
   * Removes all that caches have put in the folder.
   *
   * @returns How many sets of keys there were.
   * @throws {ProcessCacheError}
   */
  clear(): Promise<number>
}

/**
 * Keeps keys on disk for programs that run anew for each call, such as `credential_process`. Each set is a file of mode 0600,
 * named after the SHA-256 of its session's key; keys without an end are never kept.
 *
 * @throws {TypeError | RangeError} on an option that can't be right.
 */
export function processCache(init: ProcessCacheInit): ProcessCache {
  return processCacheOn(fs, init)
}
