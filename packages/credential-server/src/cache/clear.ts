import { errnoOf } from '../credentials-file/errors.ts'
import type { FileSystem } from '../credentials-file/file-system.ts'
import type { Folder } from '../credentials-file/folder.ts'
import { LONGEST_MS } from './entry.ts'

const OURS = /^[0-9a-f]{64}\.json(\.tmp\.[0-9a-f]{16}|\.lock\.[\w.]{1,128})?$/

/** Removes what a cache has made, and nothing else. @returns How many sets there were. */
export async function removeAll(fs: FileSystem, folder: Folder): Promise<number> {
  let sets = 0
  for (const name of await fs.readdir(folder.at('.'))) {
    const [ours, extra] = OURS.exec(name) ?? []
    if (ours === undefined) continue
    const removed = await remove(fs, folder.at(name))
    if (removed && extra === undefined) sets += 1
  }
  return sets
}

/** Removes what is so old that it is over, whatever it was. */
export async function removeOld(fs: FileSystem, folder: Folder, now: number): Promise<void> {
  for (const name of await fs.readdir(folder.at('.'))) {
    if (!OURS.test(name)) continue
    const stat = await fs.lstat(folder.at(name)).catch(() => undefined)
    if (stat !== undefined && now - stat.mtimeMs > LONGEST_MS) await remove(fs, folder.at(name))
  }
}

async function remove(fs: FileSystem, path: string): Promise<boolean> {
  try {
    await fs.unlink(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
