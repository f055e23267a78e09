import { constants, type Stats } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { CredentialsFileError, errnoOf } from './errors.ts'
import type { FileSystem } from './file-system.ts'
import { type Folder, makeFolder, openFolder } from './folder.ts'

/** Where the file is after all symbolic links. */
export interface Target {
  readonly folder: Folder
  readonly name: string
  readonly path: string
  /** Whose the file is, or will be. */
  readonly owner: number
}

/** The file as it is now. */
export interface Current {
  readonly content: Buffer
  readonly stat: Stats
}

const MAX_OCTETS = 8 * 1024 * 1024
const windows = process.platform === 'win32'

/**
 * Finds the file, and makes its folder (0700) where there is none.
 *
 * @throws {CredentialsFileError} `ERR_CREDENTIALS_FILE_UNSAFE` for a link to nothing, or a folder in which others could put
 * files of their own.
 */
export async function locate(fs: FileSystem, file: string): Promise<Target> {
  const asked = resolve(file)
  await makeFolder(fs, dirname(asked))
  const path = await realPath(fs, asked)
  const folder = await openFolder(fs, dirname(path))
  try {
    const owner = await ownerOf(fs, folder.at(basename(path)))
    assertFolder(folder, owner)
    await assertLinks(fs, asked, owner)
    return { folder, name: basename(path), path, owner }
  } catch (error) {
    await folder.close()
    throw error
  }
}

/**
 * Reads the file, undefined where there is none.
 *
 * @throws {CredentialsFileError} when it is not a plain file of this user (root may update everybody's) that nobody else can write.
 */
export async function readCurrent(fs: FileSystem, { folder, name, path }: Target): Promise<Current | undefined> {
  const handle = await fs
    .open(folder.at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    .catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
  if (handle === undefined) return undefined
  try {
    const stat = await handle.stat()
    assertFile(path, stat)
    const content = await handle.readFile()
    return { content, stat }
  } finally {
    await handle.close()
  }
}

/** Whether the file is the one that was read: other programs write it too, and know no lock of ours. */
export async function isUnchanged(fs: FileSystem, { folder, name }: Target, then: Stats | undefined): Promise<boolean> {
  const now = await fs.lstat(folder.at(name)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (now === undefined || then === undefined) return now === then
  return now.ino === then.ino && now.size === then.size && now.mtimeMs === then.mtimeMs && now.ctimeMs === then.ctimeMs
}

async function realPath(fs: FileSystem, asked: string): Promise<string> {
  try {
    return await fs.realpath(asked)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    if (await fs.lstat(asked).catch(() => undefined)) throw unsafe(`${asked} is a symbolic link to nothing`)
    return join(await fs.realpath(dirname(asked)), basename(asked))
  }
}

function assertFolder({ path, stat }: Folder, owner: number): void {
  if (windows) return
  if (stat.uid !== 0 && stat.uid !== owner) {
    throw unsafe(`the folder ${path} belongs to user ${stat.uid}, and the file to user ${owner}`)
  }
  const sticky = (stat.mode & 0o1000) !== 0 // as /tmp: others may add, and not replace
  if ((stat.mode & 0o022) !== 0 && !sticky) {
    throw unsafe(`other users can write to the folder ${path} (mode ${octal(stat)}); "chmod go-w" it`)
  }
}

function assertFile(path: string, stat: Stats): void {
  if (!stat.isFile()) throw unsafe(`${path} is not a plain file`)
  if (stat.size > MAX_OCTETS) {
    throw new CredentialsFileError('ERR_CREDENTIALS_FILE_TOO_LARGE', `${path} has more than ${MAX_OCTETS} octets`)
  }
  if (windows) return
  if (stat.nlink !== 1) throw unsafe(`${path} has another name (a hard link), which would keep the old keys`)
  if ((stat.mode & 0o022) !== 0) {
    throw unsafe(`other users can write ${path} (mode ${octal(stat)}); "chmod go-w" it`)
  }
  const self = ourUid()
  if (self !== 0 && stat.uid !== self) throw unsafe(`${path} belongs to user ${stat.uid}, not to user ${self}`)
}

/** Nobody may send root, or another user, to a file that is not the link's owner's own. */
async function assertLinks(fs: FileSystem, asked: string, owner: number): Promise<void> {
  if (windows) return
  for (let path = asked; path !== dirname(path); path = dirname(path)) {
    const stat = await fs.lstat(path).catch(() => undefined)
    if (stat?.isSymbolicLink() && stat.uid !== 0 && stat.uid !== owner) {
      throw unsafe(`the symbolic link ${path} belongs to user ${stat.uid}, and what it leads to to user ${owner}`)
    }
  }
}

async function ownerOf(fs: FileSystem, path: string): Promise<number> {
  return (await fs.lstat(path).catch(() => undefined))?.uid ?? ourUid()
}

function ourUid(): number {
  return process.geteuid?.() ?? 0
}

function octal({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

function unsafe(message: string): CredentialsFileError {
  return new CredentialsFileError('ERR_CREDENTIALS_FILE_UNSAFE', message)
}
