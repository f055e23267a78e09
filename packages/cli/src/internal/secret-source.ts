import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { CliError, usageError } from '../cli-error.ts'
import { promptSecret } from './prompt-secret.ts'

/** Octets of a secret, or of a password, that are read at most. */
const MAX_OCTETS = 4096

/** Where a secret may come from. Never the command line, which every process of the machine can read. */
export type SecretSource = 'prompt' | 'stdin' | `env:${string}` | `file:${string}` | `fd:${number}`

/**
 * Reads a secret; one line feed at its end is left out.
 *
 * @param source `prompt`, `stdin`, `env:NAME`, `file:/path` (mode 0600 or stricter, ours or root's) or `fd:3`.
 * @param name The flag, for messages and for the prompt.
 * @param maxOctets More is refused. Default: 4096.
 * @returns Octets that the caller zeroes.
 * @throws {CliError}
 */
export async function readSecret(source: string, name: string, maxOctets = MAX_OCTETS): Promise<Buffer> {
  const [kind = '', ...rest] = source.split(':')
  const value = rest.join(':')
  const secret = await read(kind, value, name, maxOctets)
  if (secret.length === 0) throw new CliError(`${name}: it is empty`)
  return secret
}

async function read(kind: string, value: string, name: string, maxOctets: number): Promise<Buffer> {
  if (kind === 'prompt' && value === '') return promptSecret(name)
  if (kind === 'stdin' && value === '') return readDescriptor(0, name, maxOctets)
  if (kind === 'fd' && /^\d{1,4}$/.test(value)) return readDescriptor(Number(value), name, maxOctets)
  if (kind === 'file' && value !== '') return withoutLineFeed(readPrivateFile(value, name, maxOctets))
  if (kind === 'env' && /^\w+$/.test(value)) {
    const text = process.env[value]
    if (text === undefined) throw new CliError(`${name}: environment variable ${value} is not set, or was read already`)
    delete process.env[value] // whatever is started from here has no business with it
    return Buffer.from(text)
  }
  throw usageError(`${name} must be prompt, stdin, file:/path, fd:N or env:NAME; secrets are never arguments`)
}

/**
 * Reads a file that is a secret as a whole: others can read none of it, and it is ours or root's.
 *
 * @param name What it is, for messages.
 * @returns Octets that the caller zeroes.
 * @throws {CliError}
 */
export function readPrivateFile(path: string, name: string, maxOctets: number): Buffer {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) // a FIFO would wait for its writer
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new CliError(`${name}: ${path} can't be read (${code})`, { cause })
  }
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw new CliError(`${name}: ${path} is not a regular file`)
    if ((stat.mode & 0o077) !== 0) throw new CliError(`${name}: ${path} is open to others; chmod 600 it`)
    if (stat.uid !== 0 && stat.uid !== process.getuid?.())
      throw new CliError(`${name}: ${path} belongs to somebody else`)
    return readAll(descriptor, name, maxOctets)
  } finally {
    closeSync(descriptor)
  }
}

function readDescriptor(descriptor: number, name: string, maxOctets: number): Buffer {
  try {
    return withoutLineFeed(readAll(descriptor, name, maxOctets))
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw new CliError(`${name}: file descriptor ${descriptor} can't be read`, { cause })
  }
}

function readAll(descriptor: number, name: string, maxOctets: number): Buffer {
  const buffer = Buffer.alloc(maxOctets + 1)
  let length = 0
  for (;;) {
    const count = readSync(descriptor, buffer, length, buffer.length - length, null)
    if (count === 0) return buffer.subarray(0, length)
    length += count
    if (length > maxOctets) {
      buffer.fill(0)
      throw new CliError(`${name}: longer than ${maxOctets} octets`)
    }
  }
}

function withoutLineFeed(octets: Buffer): Buffer {
  if (octets.at(-1) !== 0x0a) return octets
  return octets.subarray(0, octets.at(-2) === 0x0d ? -2 : -1)
}
