import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'

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
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text === token) await rm(path, { force: true })
  }
}
