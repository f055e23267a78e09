import { constants, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface AuditFileStat {
  /** The same for two paths of one file, and for no other file. */
  readonly id: string
  /** Octets. */
  readonly size: number
  /** 0: deleted, though still open. */
  readonly links: number
}

/** What the audit log needs of an open file. Writes go to its end. */
export interface AuditFile {
  /** @returns how many octets were taken; can be fewer than given. */
  write(octets: Uint8Array): Promise<number>
  /** Returns when what was written is durable. */
  datasync(): Promise<void>
  truncate(size: number): Promise<void>
  read(position: number, length: number): Promise<Buffer>
  stat(): Promise<AuditFileStat>
  close(): Promise<void>
}

/** What the audit log needs of a file system. */
export interface AuditFileSystem {
  /** Opens a regular file, or makes an empty one whose name is durable. Refuses everything else, symlinks too. */
  open(path: string): Promise<AuditFile>
  /** `undefined`: there is nothing. */
  stat(path: string): Promise<AuditFileStat | undefined>
}

/**
 * @param mode Permissions of a new file, such as `0o600`.
 */
export function nodeAuditFileSystem(mode: number): AuditFileSystem {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_DIRECTORY, O_RDONLY, O_DSYNC } = constants
  return {
    async open(path) {
      // O_RDWR: to read the last line, and because a FIFO opened for writing alone would wait for a reader.
      const handle = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | (O_DSYNC ?? 0), mode)
      try {
        const found = await handle.stat()
        if (!found.isFile()) throw new TypeError('the audit log must be a regular file')
        if (found.size === 0) await syncFolder(dirname(path), O_RDONLY | O_DIRECTORY)
        return toAuditFile(handle)
      } catch (error) {
        await handle.close()
        throw error
      }
    },
    // Not asynchronous: on a local file system the answer is in memory, and a trip to the thread pool costs 30 times as much.
    stat: (path) => new Promise((resolve) => resolve(statNow(path))),
  }
}

function statNow(path: string): AuditFileStat | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? undefined : toStat(found)
}

function toAuditFile(handle: FileHandle): AuditFile {
  return {
    write: async (octets) => (await handle.write(octets)).bytesWritten,
    // With O_DSYNC a write returns when it is durable (open(2)): one trip to the disk instead of two.
    datasync: async () => (constants.O_DSYNC === undefined ? handle.datasync() : undefined),
    truncate: (size) => handle.truncate(size),
    read: async (position, length) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position)
      return buffer.subarray(0, bytesRead)
    },
    stat: async () => toStat(await handle.stat()),
    close: () => handle.close(),
  }
}

const toStat = ({ dev, ino, size, nlink }: { dev: number; ino: number; size: number; nlink: number }) => ({
  id: `${dev}:${ino}`,
  size,
  links: nlink,
})

/** A file is only as durable as its name. */
async function syncFolder(path: string, flags: number): Promise<void> {
  const folder = await open(path, flags)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
