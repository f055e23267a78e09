import type { BigIntStats } from 'node:fs'
import { constants, type FileHandle, open, stat } from 'node:fs/promises'
import { RolesAnywhereError } from '../errors.ts'
import type { Named } from './make-identity.ts'

const MAX_OCTETS = 1_048_576

/** A file as it was at one moment. */
export interface FileSnapshot {
  readonly path: string
  /** To be wiped. */
  readonly octets: Buffer
  /** Another one means another file, or other content. */
  readonly stamp: string
  /** When it was last changed, in milliseconds since the epoch. */
  readonly changedMs: number
  /** Others than its owner and group may read it, or others than its owner may write it. */
  readonly exposed: boolean
}

/**
 * Reads a whole file of 1 MiB at most.
 *
 * @throws {RolesAnywhereError} `ERR_RA_FILE`, which names the file and never what is in it.
 */
export async function readWholeFile(path: string): Promise<FileSnapshot> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK) // a FIFO would wait for its writer
    const stats = await file.stat({ bigint: true })
    if (!stats.isFile()) throw refused(path, 'is not a regular file')
    if (stats.size === 0n) throw refused(path, 'is empty')
    if (stats.size > MAX_OCTETS) throw refused(path, `has more than ${MAX_OCTETS} octets`)
    return {
      path,
      octets: await readUpTo(file, Number(stats.size)),
      stamp: stampOf(stats),
      changedMs: Math.max(Number(stats.mtimeMs), Number(stats.ctimeMs)),
      exposed: process.platform !== 'win32' && (stats.mode & 0o026n) !== 0n,
    }
  } catch (cause) {
    if (cause instanceof RolesAnywhereError) throw cause
    throw refused(path, HINTS[codeOf(cause)] ?? `can't be read (${codeOf(cause)})`)
  } finally {
    await file?.close()
  }
}

/** What is in one of several files, for messages too. */
export function octetsIn(files: ReadonlyMap<string, FileSnapshot>, path: string): Named<Uint8Array> {
  const octets = files.get(path)?.octets
  if (octets === undefined) throw new Error('not one of the files') // a mistake of ours
  return { from: path, value: octets }
}

/** @returns undefined where the file is not there, or may not be looked at. */
export async function stampOfFile(path: string): Promise<string | undefined> {
  return stat(path, { bigint: true }).then(stampOf, () => undefined)
}

const stampOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(':')

/** May be shorter where the file was cut meanwhile; its stamp is another one then. */
async function readUpTo(file: FileHandle, size: number): Promise<Buffer> {
  const octets = Buffer.alloc(size)
  let length = 0
  while (length < size) {
    const { bytesRead } = await file.read(octets, length, size - length, null)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return octets.subarray(0, length)
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error'

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  EACCES: 'may not be read by this user',
}

const refused = (path: string, why: string): RolesAnywhereError =>
  new RolesAnywhereError('ERR_RA_FILE', `${path} ${why}`)
