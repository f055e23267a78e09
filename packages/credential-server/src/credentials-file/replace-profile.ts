import type { Claim } from './claim.ts'
import { CredentialsFileError, fileError } from './errors.ts'
import type { FileSystem } from './file-system.ts'
import type { AwsKeys } from './keys.ts'
import { isUnchanged, locate, readCurrent, type Target } from './locate.ts'
import { lockFile } from './lock.ts'
import { rewriteProfile } from './rewrite-profile.ts'
import { removeTemporary, writeAtomic } from './write-atomic.ts'

export interface ReplaceProfile {
  readonly file: string
  readonly profile: string
  readonly credentials: AwsKeys
  readonly tighten: boolean
  readonly lockTimeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** What {@link updateProfile} did. */
export interface UpdateProfileResult {
  /** The file that was written: behind symbolic links, where there are any. */
  readonly path: string
  /** False when it held these very keys already. */
  readonly changed: boolean
  /** Mode of the file now, as `0o600`. */
  readonly mode: number
}

/** Somebody else writes at the same moment so often? Then something is wrong. */
const ROUNDS = 20

/** {@link updateProfile}, on any file system. */
export async function replaceProfile(fs: FileSystem, want: ReplaceProfile): Promise<UpdateProfileResult> {
  try {
    const target = await locate(fs, want.file)
    try {
      const { folder, name, owner } = target
      const lock = await lockFile(fs, folder, name, { waitMs: want.lockTimeoutMs, owner, signal: want.signal })
      try {
        await removeTemporary(fs, target.folder, target.name)
        return await rewrite(fs, target, want, lock)
      } finally {
        await lock.release()
      }
    } finally {
      await target.folder.close()
    }
  } catch (error) {
    throw fileError(want.file, error)
  }
}

async function rewrite(
  fs: FileSystem,
  target: Target,
  { profile, credentials, tighten, signal }: ReplaceProfile,
  lock: Claim,
): Promise<UpdateProfileResult> {
  const { folder, name, path } = target
  for (let round = 0; round < ROUNDS; round++) {
    signal?.throwIfAborted()
    const current = await readCurrent(fs, target)
    const before = current?.content ?? Buffer.alloc(0)
    const content = rewriteProfile(before, profile, credentials)
    try {
      const was = current === undefined ? undefined : current.stat.mode & 0o777
      const mode = was === undefined ? 0o600 : tighten ? was & 0o700 : was
      if (was === mode && content.equals(before)) return { path, changed: false, mode }
      const mayReplace = async (): Promise<boolean> =>
        (await isUnchanged(fs, target, current?.stat)) && (await lock.isHeld())
      if (await writeAtomic(fs, folder, name, { content, mode, owner: current?.stat, mayReplace })) {
        return { path, changed: true, mode }
      }
    } finally {
      content.fill(0)
      before.fill(0)
    }
    if (!(await lock.isHeld())) break
  }
  throw new CredentialsFileError('ERR_CREDENTIALS_FILE_LOCKED', `${path} keeps being changed by another program`)
}
