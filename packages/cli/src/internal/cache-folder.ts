import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/**
 * The folder that sessions are kept in: `hardbound` in XDG_CACHE_HOME, or in `~/.cache`.
 *
 * @see {@link https://specifications.freedesktop.org/basedir-spec/latest/ XDG Base Directory Specification}
 */
export function cacheFolder(env: Readonly<NodeJS.ProcessEnv> = process.env): string {
  const { XDG_CACHE_HOME: base = '' } = env
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'hardbound')
}
