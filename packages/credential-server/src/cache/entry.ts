import { constants, type Stats } from 'node:fs'
import type { FileSystem } from '../credentials-file/file-system.ts'
import type { Folder } from '../credentials-file/folder.ts'
import { type AwsKeys, assertKeys } from '../credentials-file/keys.ts'
import { writeAtomic } from '../credentials-file/write-atomic.ts'

/** A set with what its freshness is judged by; milliseconds since the epoch. */
export interface Entry {
  readonly keys: AwsKeys & { readonly expiration: Date }
  readonly storedAt: number
}

const MAX_OCTETS = 64 * 1024
/** Nothing of AWS lives longer (GetSessionToken, 36 hours), in milliseconds. */
export const LONGEST_MS = 36 * 3_600_000

/** Reads a set. Undefined where there is none, or one that we did not write just so: it is replaced by the next. */
export async function readEntry(fs: FileSystem, folder: Folder, file: string): Promise<Entry | undefined> {
  try {
    const handle = await fs.open(folder.at(file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      if (!isOurs(await handle.stat())) return undefined
      return parse(await handle.readFile('utf8'), file)
    } finally {
      await handle.close()
    }
  } catch {
    return undefined
  }
}

/** @throws what the system said. */
export async function writeEntry(fs: FileSystem, folder: Folder, file: string, entry: Entry): Promise<void> {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = entry.keys
  const record = { file, storedAt: entry.storedAt, accessKeyId, secretAccessKey, sessionToken, expiration }
  const content = Buffer.from(JSON.stringify(record))
  try {
    // What a power cut leaves is read as nothing, so that nobody has to wait for the disk.
    await writeAtomic(fs, folder, file, { content, mode: 0o600, durable: false })
  } finally {
    content.fill(0)
  }
}

function isOurs(stat: Stats): boolean {
  if (!stat.isFile() || stat.size > MAX_OCTETS) return false
  const self = process.geteuid?.()
  return self === undefined || (stat.uid === self && stat.nlink === 1 && (stat.mode & 0o777) === 0o600)
}

function parse(text: string, file: string): Entry | undefined {
  const record = JSON.parse(text) as Record<string, unknown>
  const { storedAt, accessKeyId, secretAccessKey, sessionToken } = record
  const expiration = new Date(String(record.expiration))
  if (record.file !== file || typeof storedAt !== 'number' || Number.isNaN(expiration.getTime())) return undefined
  const keys = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }), expiration }
  assertKeys(keys as Entry['keys'])
  return { keys: keys as Entry['keys'], storedAt }
}
