import { setTimeout as delay } from 'node:timers/promises'
import { type Claim, tryClaim } from './claim.ts'
import { CredentialsFileError } from './errors.ts'
import type { FileSystem } from './file-system.ts'
import type { Folder } from './folder.ts'

/** Nobody who works holds the lock for so long. */
const STALE_MS = 60_000

/**
 * Waits for the lock on a file.
 *
 * @param waitMs For how long, in milliseconds.
 * @param owner Whose claims count beside root's and our own: of the file's owner.
 * @throws {CredentialsFileError} `ERR_CREDENTIALS_FILE_LOCKED`, naming the holder.
 */
export async function lockFile(
  fs: FileSystem,
  folder: Folder,
  file: string,
  { waitMs, owner, signal }: { waitMs: number; owner?: number; signal?: AbortSignal | undefined },
): Promise<Claim> {
  const until = performance.now() + waitMs
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted()
    const answer = await tryClaim(fs, folder, file, { staleMs: STALE_MS, owner })
    if (answer.granted) return answer
    if (performance.now() >= until) {
      const path = `${folder.path}/${file}`
      throw new CredentialsFileError('ERR_CREDENTIALS_FILE_LOCKED', `${path} is being updated by ${answer.who}`)
    }
    await delay(pauseMs(attempt), undefined, { signal })
  }
}

/** Random, so that those who collided do not collide again, and longer the more often. */
export function pauseMs(attempt: number): number {
  return 2 + Math.random() * Math.min(100, 8 * 2 ** Math.min(attempt, 8))
}
