import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { errnoOf } from './errors.ts'
import type { FileSystem } from './file-system.ts'
import type { Folder } from './folder.ts'
import { ownMark, type ProcessMark, stateOf } from './process-mark.ts'

/** The lock on one file. */
export interface Claim {
  readonly granted: true
  /** False when others took us for dead, which they do after `staleMs` where they can't look. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/** Who has it instead. */
export interface Holder {
  readonly granted: false
  /** For messages: `process 1234`. */
  readonly who: string
}

export interface ClaimOptions {
  /** After so long, in milliseconds, a claim lapses whose process nobody here can look at. */
  readonly staleMs: number
  /** Whose claims count beside root's and our own. In a folder like `/tmp`, anybody could keep everybody out. Default: nobody's. */
  readonly owner?: number | undefined
}

/**
 * Tries to lock a file of a folder. Whoever wants it puts a claim beside it, `<file>.lock.<process>`, made with O_EXCL, and then
 * looks who else has one: whoever is alone has the lock, and all others take their claims back. As names are never used twice,
 * the claim of a dead process can be removed without a race for what came after it. The claim says all in its name.
 */
export async function tryClaim(
  fs: FileSystem,
  folder: Folder,
  file: string,
  options: ClaimOptions,
): Promise<Claim | Holder> {
  const prefix = `${file}.lock.`
  const before = await findHolder(fs, folder, prefix, undefined, options)
  if (before !== undefined) return before
  const { place, pid, start } = ownMark()
  const name = `${prefix}${place}.${pid}.${start}.${randomBytes(8).toString('hex')}`
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  await (await fs.open(folder.at(name), flags, 0o600)).close()
  const release = async (): Promise<void> => {
    await fs.unlink(folder.at(name)).catch(() => {}) // what stays is removed by the next one, once we are gone
  }
  try {
    const other = await findHolder(fs, folder, prefix, name, options)
    if (other === undefined) return { granted: true, isHeld: () => exists(fs, folder.at(name)), release }
    await release()
    return other
  } catch (error) {
    await release()
    throw error
  }
}

async function findHolder(
  fs: FileSystem,
  folder: Folder,
  prefix: string,
  own: string | undefined,
  { staleMs, owner }: ClaimOptions,
): Promise<Holder | undefined> {
  for (const name of await fs.readdir(folder.at('.'))) {
    if (!name.startsWith(prefix) || name === own) continue
    const stat = await fs.lstat(folder.at(name)).catch(() => undefined)
    if (stat === undefined || !counts(stat, owner)) continue
    const mark = parseMark(name.slice(prefix.length))
    const state = mark === undefined ? 'unknown' : stateOf(mark)
    if (state === 'alive' || (state === 'unknown' && !isOld(stat, staleMs))) {
      return { granted: false, who: describe(mark, state) }
    }
    await fs.unlink(folder.at(name)).catch(() => {})
  }
  return undefined
}

function parseMark(text: string): ProcessMark | undefined {
  const [, place, pid, start] = /^(\w{1,64})\.(\d{1,10})\.(\d{1,20})\.[0-9a-f]{16}$/.exec(text) ?? []
  return place === undefined || start === undefined ? undefined : { place, pid: Number(pid), start }
}

function describe(mark: ProcessMark | undefined, state: string): string {
  if (mark === undefined) return 'somebody'
  return state === 'alive' ? `process ${mark.pid}` : `process ${mark.pid}, perhaps of another machine or container`
}

function counts({ uid }: Stats, owner: number | undefined): boolean {
  const self = process.geteuid?.()
  return self === undefined || uid === self || uid === 0 || uid === owner
}

function isOld({ mtimeMs }: Stats, staleMs: number): boolean {
  return Math.abs(Date.now() - mtimeMs) > staleMs // of the future, too: a clock was set back
}

async function exists(fs: FileSystem, path: string): Promise<boolean> {
  try {
    await fs.lstat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
