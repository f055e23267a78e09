import { errnoOf } from '../credentials-file/errors.ts'
import type { FileSystem } from '../credentials-file/file-system.ts'
import { type Folder, makeFolder, openFolder } from '../credentials-file/folder.ts'
import { ProcessCacheError } from './errors.ts'

/**
 * Opens the folder of the cache, and makes it (0700) where there is none.
 *
 * @throws {ProcessCacheError} `ERR_CACHE_UNSAFE` when it is a link, another user's, or open to others; what the system said else.
 */
export async function openCacheFolder(fs: FileSystem, directory: string): Promise<Folder> {
  await makeFolder(fs, directory)
  const folder = await openFolder(fs, directory).catch((error: unknown) => {
    const errno = errnoOf(error)
    throw errno === 'ENOTDIR' || errno === 'ELOOP' ? unsafe(`${directory} is not a folder, or a link to one`) : error
  })
  try {
    assertPrivate(folder)
    return folder
  } catch (error) {
    await folder.close()
    throw error
  }
}

function assertPrivate({ path, stat }: Folder): void {
  const self = process.geteuid?.()
  if (self === undefined) return
  if (stat.uid !== self) throw unsafe(`the folder ${path} belongs to user ${stat.uid}, not to user ${self}`)
  if ((stat.mode & 0o077) !== 0) throw unsafe(`other users can look into the folder ${path}; "chmod 700" it`)
}

function unsafe(message: string): ProcessCacheError {
  return new ProcessCacheError('ERR_CACHE_UNSAFE', message)
}
