import { access, type FileHandle, link, mkdtemp, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CliError } from '../cli-error.ts'

/** @throws {CliError} where there is such a file already. @param name The flag. */
export async function assertNewFile(name: string, path: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (isThere) throw new CliError(`${name}: ${path} is there already`)
}

/**
 * Writes a file that was not there, mode 0600: whole and durable, or not at all.
 *
 * @param name The flag, for messages.
 * @throws {CliError}
 */
export async function writeNewFile(name: string, path: string, content: string): Promise<void> {
  let folder: string | undefined
  try {
    folder = await mkdtemp(join(dirname(path), '.hardbound-'))
    const draft = join(folder, 'draft')
    await withOpen(draft, 'wx', async (file) => {
      await file.writeFile(content)
      await file.sync()
    })
    await link(draft, path) // unlike rename, never replaces a file
    await withOpen(dirname(path), 'r', (parent) => parent.sync()) // which has its name
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new CliError(`${name}: ${path} can't be written (${code})`, { cause })
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

async function withOpen(path: string, flags: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await work(file)
  } finally {
    await file.close()
  }
}
