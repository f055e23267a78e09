import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { processCache } from '@hardbound/credential-server/cache'
import { usageError } from '../cli-error.ts'
import type { AwsSource, Flags, Warn } from '../sources/source.ts'
import { cacheFolder } from './cache-folder.ts'
import type { ProcessCredential } from './process-credential.ts'

/** Files beyond this are none that decide a session. */
const MAX_OCTETS = 1_048_576

/**
 * Gives the session that is kept for exactly these flags and what is in the files they name; else a new one, which is then kept.
 *
 * @throws {CliError} where what decides the session can be read only once.
 */
export async function throughCache(
  source: AwsSource,
  flags: Flags,
  fetch: () => Promise<ProcessCredential>,
  warn: Warn,
): Promise<ProcessCredential> {
  const key = cacheKeyOf(source, flags)
  const cache = processCache({
    directory: cacheFolder(),
    onEvent: ({ type, code = 'unknown error' }) => warn(`${EVENTS[type]} (${code})`),
  })
  return cache.through(key, fetch)
}

const EVENTS = {
  unavailable: 'the cache can not be used',
  'not-stored': 'the session could not be kept',
  'fetch-failed': 'no new session; the last one is used while it lasts',
} as const

/** Everything that decides the session. Nothing secret: flags never are. */
export function cacheKeyOf({ name, files }: Pick<AwsSource, 'name' | 'files'>, flags: Flags) {
  const { 'mfa-code': _, ...rest } = flags // another one each time, for the same session
  const contents = files.flatMap((flag) => {
    const value = flags[flag]
    return typeof value === 'string' ? [[flag, contentOf(flag, value)]] : []
  })
  const isRelative = Object.values(rest).some((it) => typeof it === 'string' && isRelativePath(pathIn(it)))
  return {
    source: name,
    flags: { ...rest },
    contents: Object.fromEntries(contents) as Record<string, string>,
    ...(isRelative ? { folder: process.cwd() } : {}),
  }
}

/** `file:/path`, `folder:/path` and `p12:/path` are paths, too. */
const pathIn = (value: string): string => value.replace(/^(?:file|folder|p12|unix):/, '')

const isRelativePath = (value: string): boolean => !isAbsolute(value) && existsSync(value)

/**
 * SHA-256 of a file, or of what a folder lists; of nothing where there is neither, as with a URI.
 *
 * @throws {CliError} where it can't be read again: a shell gives each `<(…)` the same name.
 */
function contentOf(flag: string, value: string): string {
  const [path, hash] = [pathIn(value), createHash('sha256')]
  const stat = tried(() => statSync(path))
  const isReadOnce = /^(?:stdin$|fd:|env:)/.test(value) || (stat !== undefined && !stat.isFile() && !stat.isDirectory())
  if (isReadOnce) throw usageError(`--cache does not go with a --${flag} that is read once`)
  if (stat?.isFile() === true) {
    if (stat.size > MAX_OCTETS) throw usageError(`--cache does not go with a --${flag} of more than 1 MiB`)
    return hash.update(tried(() => readFileSync(path)) ?? '').digest('hex')
  }
  for (const name of tried(() => readdirSync(path))?.sort() ?? []) {
    const { size, mtimeMs, ino } = tried(() => statSync(join(path, name))) ?? {}
    hash.update(JSON.stringify([name, size, mtimeMs, ino]))
  }
  return hash.digest('hex')
}

/** Nothing where the system says no: whoever needs it says so. */
function tried<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
