import { constants, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf } from './errors.ts'
import type { FileSystem } from './file-system.ts'

/** A folder that stays the same one, whatever its path comes to mean. */
export interface Folder {
  /** For messages. */
  readonly path: string
  readonly stat: Stats
  /** Where a file of it is. */
  at(name: string): string
  /** Makes renames last. */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * Makes a folder, and those above it, with mode 0700. What is there stays, whatever it is. (Node's own `recursive` tries for ever
 * where the system says ENOENT though the folder above is there, as in `/proc`.)
 *
 * @throws what the system said.
 */
export async function makeFolder(fs: FileSystem, path: string): Promise<void> {
  const make = async (): Promise<void> => {
    await fs.mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error
    })
  }
  try {
    await make()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(fs, dirname(path))
    await make()
  }
}

/**
 * Opens a folder, not through a symbolic link. On Linux, files are then reached through the open folder rather than by its path
 * (what `openat` does elsewhere), so that nobody can put another one in its place.
 *
 * @throws what the system said: `ENOTDIR` or `ELOOP` for a link.
 */
export async function openFolder(fs: FileSystem, path: string): Promise<Folder> {
  if (process.platform === 'win32') return unpinned(path, await fs.stat(path)) // folders can't be opened there
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const stat = await handle.stat()
    const pinned = `/proc/self/fd/${handle.fd}`
    const there = await fs.stat(pinned).catch(() => undefined) // no /proc, or not ours to read
    const base = there?.ino === stat.ino && there.dev === stat.dev ? pinned : path
    return {
      path,
      stat,
      at: (name) => join(base, name),
      sync: async () => {
        await handle.sync().catch((error: unknown) => {
          if (errnoOf(error) !== 'EINVAL') throw error // file systems that know no such thing
        })
      },
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

function unpinned(path: string, stat: Stats): Folder {
  return { path, stat, at: (name) => join(path, name), sync: async () => {}, close: async () => {} }
}
