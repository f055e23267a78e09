import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CliError } from '../cli-error.ts'

/**
 * Writes variables for programs of this user, one `NAME=value` a line: mode 0600, whole or not at all. What was there goes; a link
 * is replaced, not followed. Shells run what is in there: no folder will do in which others could put another file.
 *
 * @returns Removes the file, unless somebody else has written it by then.
 * @throws {CliError}
 */
export async function writeEnvironmentFile(
  path: string,
  variables: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const content = Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .join('')
  await assertFolder(path)
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(content)
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    throw cantWrite(path, cause)
  }
  return async () => {
    const there = await readFile(path, 'utf8').catch(() => '')
    if (there === content) await rm(path, { force: true })
  }
}

async function assertFolder(path: string): Promise<void> {
  const { uid, mode } = await stat(dirname(path)).catch((cause: unknown) => {
    throw cantWrite(path, cause)
  })
  const self = process.geteuid?.()
  if (self === undefined || ((mode & 0o022) === 0 && (uid === 0 || uid === self))) return
  throw new CliError(`the environment file ${path} must be in a folder that nobody else can write to`)
}

function cantWrite(path: string, cause: unknown): CliError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  return new CliError(`the environment file ${path} can't be written (${code})`, { cause })
}

/** As shells and systemd read it; plain where it can be, for those who know no quotes. */
const quoted = (value: string): string =>
  /^[\w./:@%+=,-]*$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
