import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { CliError } from '../cli-error.ts'

/**
 * Writes variables for programs of this user, one `NAME=value` a line: mode 0600, whole or not at all. What was there goes; a link
 * is replaced, not followed.
 *
 * @returns Removes the file, unless somebody else has written it by then.
 * @throws {CliError}
 */
export async function writeEnvironmentFile(
  path: string,
  variables: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const content = Object.entries(variables)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
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
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new CliError(`the environment file ${path} can't be written (${code})`, { cause })
  }
  return async () => {
    const there = await readFile(path, 'utf8').catch(() => '')
    if (there === content) await rm(path, { force: true })
  }
}
