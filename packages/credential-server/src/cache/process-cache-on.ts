import { setTimeout as delay } from 'node:timers/promises'
import { type Claim, tryClaim } from '../credentials-file/claim.ts'
import { errnoOf } from '../credentials-file/errors.ts'
import type { FileSystem } from '../credentials-file/file-system.ts'
import type { Folder } from '../credentials-file/folder.ts'
import { type AwsKeys, assertPath } from '../credentials-file/keys.ts'
import { pauseMs } from '../credentials-file/lock.ts'
import { removeTemporary } from '../credentials-file/write-atomic.ts'
import type { ProcessCache, ProcessCacheEvent, ProcessCacheInit } from '../process-cache.ts'
import { openCacheFolder } from './cache-folder.ts'
import { type CacheKey, cacheName } from './cache-name.ts'
import { removeAll, removeOld } from './clear.ts'
import { type Entry, readEntry, writeEntry } from './entry.ts'
import { ProcessCacheError } from './errors.ts'
import { isFresh, LEAST_LEFT_MS, leftMs } from './freshness.ts'

/** A lock lapses after so long, in milliseconds, where nobody can look whether its process lives. */
const STALE_MS = 120_000
/** A held set with less left than this is of no use when fetching fails, in milliseconds. */
const LAST_RESORT_MS = 60_000

/** {@link processCache}, on any file system. */
export function processCacheOn(fs: FileSystem, init: ProcessCacheInit): ProcessCache {
  const { directory, lockTimeoutMs = 10_000, clock = Date.now, random = Math.random } = init
  assertPath('directory', directory)
  if (!(lockTimeoutMs >= 0 && lockTimeoutMs <= 600_000)) throw new RangeError('"lockTimeoutMs" must be 0 to 600000')
  const fresh = (entry: Entry | undefined): entry is Entry => entry !== undefined && isFresh(entry, clock(), random())
  const left = (entry: Entry | undefined): number => (entry === undefined ? 0 : leftMs(entry, clock()))

  const through = async (key: CacheKey, fetch: () => Promise<AwsKeys>): Promise<AwsKeys> => {
    const file = cacheName(key)
    const folder = await open()
    if (folder === undefined) return await fetch()
    try {
      const entry = await readEntry(fs, folder, file)
      if (fresh(entry)) return entry.keys
      const turn = await waitForTurn(folder, file)
      if (turn.keys !== undefined) return turn.keys
      try {
        return await fetchAndStore(folder, file, fetch)
      } finally {
        await turn.claim?.release()
      }
    } finally {
      await folder.close()
    }
  }

  const open = async (): Promise<Folder | undefined> => {
    try {
      return await openCacheFolder(fs, directory)
    } catch (error) {
      if (error instanceof ProcessCacheError) throw error
      emit('unavailable', error)
      return undefined
    }
  }

  /** Who may fetch, or what came meanwhile. Neither: fetch, as too long waits are worse than one call too many. */
  const waitForTurn = async (folder: Folder, file: string): Promise<{ claim?: Claim; keys?: AwsKeys }> => {
    const until = performance.now() + lockTimeoutMs
    for (let attempt = 0; ; attempt++) {
      const claim = await tryClaim(fs, folder, file, { staleMs: STALE_MS }).catch((error: unknown) => {
        emit('unavailable', error) // a full disk has no room for it
        return undefined
      })
      if (claim === undefined) return {}
      const entry = await readEntry(fs, folder, file)
      if (claim.granted && !fresh(entry)) return { claim }
      if (claim.granted) await claim.release()
      if (entry !== undefined && (claim.granted || fresh(entry) || left(entry) > LEAST_LEFT_MS)) {
        return { keys: entry.keys }
      }
      if (performance.now() >= until) return {}
      await delay(pauseMs(attempt))
    }
  }

  const fetchAndStore = async (folder: Folder, file: string, fetch: () => Promise<AwsKeys>): Promise<AwsKeys> => {
    let keys: AwsKeys
    try {
      keys = await fetch()
    } catch (error) {
      const entry = await readEntry(fs, folder, file)
      if (entry === undefined || left(entry) < LAST_RESORT_MS) throw error
      emit('fetch-failed', error)
      return entry.keys
    }
    await store(folder, file, keys).catch((error: unknown) => emit('not-stored', error))
    return keys
  }

  const store = async (folder: Folder, file: string, keys: AwsKeys): Promise<void> => {
    const { expiration } = keys
    if (expiration === undefined) return
    const entry = { keys: { ...keys, expiration }, storedAt: clock() }
    if (!(left(entry) > LEAST_LEFT_MS)) return
    await removeTemporary(fs, folder, file)
    await removeOld(fs, folder, clock())
    await writeEntry(fs, folder, file, entry)
  }

  const clear = async (): Promise<number> => {
    try {
      const folder = await openCacheFolder(fs, directory)
      try {
        return await removeAll(fs, folder)
      } finally {
        await folder.close()
      }
    } catch (cause) {
      if (cause instanceof ProcessCacheError) throw cause
      throw new ProcessCacheError('ERR_CACHE_IO', `can't clear ${directory}: ${errnoOf(cause) ?? 'unknown'}`, { cause })
    }
  }

  const emit = (type: ProcessCacheEvent['type'], error: unknown): void => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    try {
      init.onEvent?.({ type, ...(typeof code === 'string' && /^[A-Z_\d]{2,64}$/.test(code) ? { code } : {}) })
    } catch {
      // a log that fails stops nothing
    }
  }

  return { through, clear }
}
