import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { CliError } from '../cli-error.ts'

const MAX_OCTETS = 4096

/**
 * Asks on the terminal, whatever stdin and stdout are, and echoes nothing. Ctrl-C and Ctrl-D give up.
 *
 * @returns Octets that the caller zeroes.
 * @throws {CliError} where there is no terminal.
 */
export async function promptSecret(name: string): Promise<Buffer> {
  const { ReadStream } = await import('node:tty') // most secrets come from elsewhere, and commands want to start fast
  let terminal: number
  try {
    terminal = openSync('/dev/tty', 'r+')
  } catch (cause) {
    throw new CliError(`${name}: there is no terminal to ask on`, { cause })
  }
  const stream = new ReadStream(terminal)
  try {
    stream.setRawMode(true)
    writeSync(terminal, `${name}: `)
    return readLine(terminal)
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw new CliError(`${name}: the terminal failed`, { cause })
  } finally {
    stream.setRawMode(false)
    writeSync(terminal, '\n')
    stream.destroy()
    try {
      closeSync(terminal)
    } catch {} // the stream may have closed it
  }
}

/** Reads octets up to the end of the line; backspace takes one back. */
function readLine(terminal: number): Buffer {
  const line = Buffer.alloc(MAX_OCTETS)
  const octet = Buffer.alloc(1)
  let length = 0
  for (;;) {
    const count = readOctet(terminal, octet)
    const key = octet[0] ?? 0
    octet.fill(0)
    if (count === 0 || key === 3 || key === 4) {
      line.fill(0)
      throw new CliError('given up')
    }
    if (key === 13 || key === 10) return line.subarray(0, length)
    if (key === 127 || key === 8) {
      if (length > 0) line[--length] = 0
    } else if (length < MAX_OCTETS) {
      line[length++] = key
    } else {
      line.fill(0)
      throw new CliError(`longer than ${MAX_OCTETS} octets`)
    }
  }
}

/** Node opens terminals without blocking: nobody has typed yet. */
function readOctet(terminal: number, octet: Buffer): number {
  for (;;) {
    try {
      return readSync(terminal, octet, 0, 1, null)
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN')) throw cause
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}
