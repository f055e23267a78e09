import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { FileSystem } from './file-system.ts'
import type { Folder } from './folder.ts'

export interface AtomicWrite {
  readonly content: Uint8Array
  readonly mode: number
  /** Of the file that is replaced. Default: whose we are. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** Whether it must outlive a power cut. Default: true. */
  readonly durable?: boolean
  /** Asked when all is on the disk; false leaves the old file in place. Default: yes. */
  readonly mayReplace?: () => Promise<boolean>
}

/**
 * Replaces a file as a whole: whoever reads or crashes meanwhile finds the old one or the new one.
 *
 * @returns Whether it was replaced.
 * @throws what the system said; the old file is as it was, except after the very last step, which makes the new one last.
 */
export async function writeAtomic(fs: FileSystem, folder: Folder, file: string, write: AtomicWrite): Promise<boolean> {
  const path = folder.at(`${file}${TEMPORARY}${randomBytes(8).toString('hex')}`)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const handle = await fs.open(path, flags, 0o600)
  try {
    await fill(handle, write)
    if (write.mayReplace !== undefined && !(await write.mayReplace())) {
      await fs.unlink(path)
      return false
    }
    await fs.rename(path, folder.at(file))
  } catch (error) {
    await fs.unlink(path).catch(() => {})
    throw error
  }
  if (write.durable !== false) await folder.sync()
  return true
}

/** Removes what writers left that were killed. Only for the holder of the lock, as a living writer's file goes as well. */
export async function removeTemporary(fs: FileSystem, folder: Folder, file: string): Promise<void> {
  const prefix = `${file}${TEMPORARY}`
  for (const name of await fs.readdir(folder.at('.'))) {
    if (name.startsWith(prefix) && /^[0-9a-f]{16}$/.test(name.slice(prefix.length))) {
      await fs.unlink(folder.at(name)).catch(() => {}) // of another user, in a folder like /tmp
    }
  }
}

/** Between a file's name and its writer's random number. */
export const TEMPORARY = '.tmp.'

async function fill(handle: FileHandle, { content, mode, owner, durable }: AtomicWrite): Promise<void> {
  try {
    await handle.writeFile(content)
    const { uid, gid } = await handle.stat()
    if (owner !== undefined && (owner.uid !== uid || owner.gid !== gid)) await handle.chown(owner.uid, owner.gid)
    await handle.chmod(mode)
    if (durable !== false) await handle.sync()
  } finally {
    await handle.close()
  }
}
