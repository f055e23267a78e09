import type { Stats } from 'node:fs'
import { constants, type FileHandle, open } from 'node:fs/promises'
import { AzureCredentialError } from '../azure-credential-error.ts'

const MAX_OCTETS = 16_384

/**
 * Reads a file with one line of printable ASCII; a line end after it is cut off.
 *
 * @param limits `private`: the file belongs to us or to root, and nobody else may read or write it.
 * @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_FILE`, which names the file and never what is in it.
 */
export async function readCredentialFile(path: string, limits: { readonly private: boolean }): Promise<string> {
  let file: FileHandle | undefined
  const buffer = Buffer.alloc(MAX_OCTETS + 1)
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK) // a FIFO would wait for its writer
    const wrong = whatIsWrong(await file.stat(), limits.private)
    if (wrong !== undefined) throw refused(path, wrong)
    const length = await fill(file, buffer)
    if (length > MAX_OCTETS) throw refused(path, `has more than ${MAX_OCTETS} octets`)
    const text = buffer.toString('latin1', 0, length).replace(/\r?\n$/, '')
    if (!/^[\x21-\x7e]+$/.test(text)) throw refused(path, 'is not one line of printable ASCII without spaces')
    return text
  } catch (cause) {
    if (cause instanceof AzureCredentialError) throw cause
    throw refused(path, `can't be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'})`)
  } finally {
    buffer.fill(0)
    await file?.close()
  }
}

function whatIsWrong(stats: Stats, isPrivate: boolean): string | undefined {
  if (!stats.isFile()) return 'is not a regular file'
  if (!isPrivate) return undefined
  if ((stats.mode & 0o077) !== 0) return 'is open to others; chmod 600 it'
  if (stats.uid !== 0 && stats.uid !== process.getuid?.()) return 'belongs to another user'
  return undefined
}

async function fill(file: FileHandle, buffer: Buffer): Promise<number> {
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return length
}

const refused = (path: string, why: string): AzureCredentialError =>
  new AzureCredentialError('ERR_AZURE_CREDENTIAL_FILE', `${path} ${why}`)
