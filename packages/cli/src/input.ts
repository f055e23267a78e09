import { open } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { CliError, usageError } from './cli-error.ts'

const MAX_BYTES = 1024 * 1024

/**
 * Reads a file, or stdin for `-`.
 *
 * @param what Whose content it is, for errors: `--jwks`, `policy`.
 * @returns UTF-8 text, at most 1 MiB.
 * @throws {CliError} naming `what` and the file.
 */
export async function readInput(path: string, what: string): Promise<string> {
  if (path === '-') return readStdin(what)
  try {
    return await readTextFile(path)
  } catch (cause) {
    throw new CliError(`${what}: ${path} ${fileProblem(cause)}`, { cause })
  }
}

/** A token, from a file or from stdin; white space around it is left out. */
export async function readToken(path: string): Promise<string> {
  return (await readInput(path, 'token')).trim()
}

/**
 * Reads a file of at most 1 MiB as UTF-8 text.
 *
 * @throws what `node:fs` throws; `EFBIG` for larger ones. {@link fileProblem} puts it into words.
 */
export async function readTextFile(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_BYTES) throw Object.assign(new Error('file too large'), { code: 'EFBIG' })
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  } finally {
    await file.close()
  }
}

/** Why a file could not be read, to follow its name in a sentence. */
export function fileProblem(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  return PROBLEMS.get(code) ?? `can't be read (${code})`
}

const PROBLEMS = new Map([
  ['ENOENT', 'does not exist'],
  ['EACCES', "can't be read: permission denied"],
  ['EISDIR', 'is a folder'],
  ['EFBIG', 'is larger than 1 MiB'],
])

/** Milliseconds since the epoch of an ISO 8601 time such as `2026-11-22T12:00:00Z`. */
export function parseTime(value: string): number {
  const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(value)
    ? Date.parse(value)
    : Number.NaN
  if (Number.isNaN(time)) throw usageError('--at must be an ISO 8601 time such as 2026-11-22T12:00:00Z')
  return time
}

/** For flags that may be given several times. */
export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value]

async function readStdin(what: string): Promise<string> {
  if (process.stdin.isTTY) throw usageError(`${what}: expected a file, or text on stdin`)
  const content = await text(process.stdin)
  if (content.length > MAX_BYTES) throw new CliError(`${what}: stdin is larger than 1 MiB`)
  return content
}
