import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pkcs11Error } from './errors.ts'

const MAX_OCTETS = 1024

/**
 * Reads the PIN that a URI's `pin-source` points to: `file:/path`, `file:///path` or an absolute path. The file must be a regular
 * one that belongs to us or to root and that nobody else may read or write. One line end is cut off.
 *
 * `|command` is refused: a URI from a configuration file must not start programs.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_PIN`, which names the file and never what is in it.
 */
export function readPinSource(source: string): string {
  if (source.startsWith('|')) throw refused('commands are not run; write the PIN to a file with mode 0600')
  const path = source.startsWith('file:') ? pathOf(source) : source
  if (!isAbsolute(path)) throw refused('it must be file:/path, or an absolute path')
  const descriptor = opened(path)
  const buffer = Buffer.alloc(MAX_OCTETS + 1)
  try {
    const wrong = whatIsWrong(fstatSync(descriptor))
    if (wrong !== undefined) throw refused(`${path} ${wrong}`)
    const length = readSync(descriptor, buffer, 0, buffer.length, 0)
    if (length > MAX_OCTETS) throw refused(`${path} has more than ${MAX_OCTETS} octets`)
    const pin = utf8(buffer.subarray(0, length), path).replace(/\r?\n$/, '')
    if (pin === '') throw refused(`${path} is empty`)
    return pin
  } finally {
    buffer.fill(0)
    closeSync(descriptor)
  }
}

/** Not blocked by a FIFO, and looked at through the descriptor: the path may be another file a moment later. */
function opened(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw refused(`${path} can't be opened (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}

function pathOf(uri: string): string {
  try {
    return fileURLToPath(uri)
  } catch {
    throw refused('its file: URI is not one of a local file')
  }
}

function whatIsWrong(stats: Stats): string | undefined {
  if (!stats.isFile()) return 'is not a regular file'
  if ((stats.mode & 0o077) !== 0) return 'may be used by others than its owner: chmod 600'
  if (stats.uid !== 0 && stats.uid !== process.getuid?.()) return 'belongs to another user'
  return undefined
}

function utf8(octets: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(octets)
  } catch {
    throw refused(`${path} is not UTF-8`)
  }
}

const refused = (why: string): Pkcs11Error =>
  new Pkcs11Error('ERR_PKCS11_PIN', `the PIN's source can't be used: ${why}`)
