import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { CliError } from '../cli-error.ts'
import type { PkcsUri } from './pkcs-uri.ts'
import type { GoHints } from './run-go-command.ts'

const MAX_OCTETS = 1024

/**
 * The PIN of a URI, or of the file that it names; one line end is cut off. What the original takes works here, but is warned of: a PIN in
 * the argument, a file that others may read.
 *
 * @throws {CliError} naming the file, never what is in it.
 */
export function readPin({ pinValue, pinSource = '' }: PkcsUri, warn: GoHints['warn']): string {
  if (pinValue !== undefined) {
    warn(
      '-pkcs-uri: every process of this machine can read a pin-value; put the PIN into a file with mode 0600, as pin-source=file:/path',
    )
    return pinValue
  }
  const path = /^(?:file:(?:\/\/(?:localhost)?)?)?(\/(?!\/).*)$/s.exec(pinSource)?.[1]
  if (path === undefined) throw new CliError('-pkcs-uri: pin-source must be file:/path, or an absolute path')
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) // a FIFO would wait for its writer
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new CliError(`-pkcs-uri: ${path} can't be read (${code})`, { cause })
  }
  const octets = Buffer.alloc(MAX_OCTETS + 1)
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw new CliError(`-pkcs-uri: ${path} is not a regular file`)
    if ((stat.mode & 0o077) !== 0) warn(`-pkcs-uri: ${path} is open to others; chmod 600 it`)
    const length = readSync(descriptor, octets, 0, octets.length, 0)
    if (length > MAX_OCTETS) throw new CliError(`-pkcs-uri: ${path} has more than ${MAX_OCTETS} octets`)
    return octets.toString('utf8', 0, length).replace(/\r?\n$/, '')
  } finally {
    octets.fill(0)
    closeSync(descriptor)
  }
}
