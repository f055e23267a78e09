import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'

/**
 * Writes a secret for programs of this user: mode 0600, whole or not at all. What was there before goes, so that a file that a
 * killed server left behind is no obstacle; a link is replaced, not followed.
 *
 * @returns Removes the file, unless another server has written its own there by then.
 */
export async function writeTokenFile(path: string, token: string): Promise<() => Promise<void>> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(token) // no line break: SDKs send what they read
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return async () => {
    if (await isOurs(path, token)) await rm(path, { force: true })
  }
}

/** What took its place may be a pipe that nobody writes to. */
async function isOurs(path: string, token: string): Promise<boolean> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stat = await file.stat()
      return stat.isFile() && stat.size === Buffer.byteLength(token) && (await file.readFile('utf8')) === token
    } finally {
      await file.close()
    }
  } catch {
    return false
  }
}
