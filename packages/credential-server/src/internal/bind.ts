import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { type AddressInfo, connect, type Server } from 'node:net'
import { basename, dirname } from 'node:path'
import { type Folder, openFolder } from '../credentials-file/folder.ts'
import { lockFile } from '../credentials-file/lock.ts'
import { CredentialServerError } from '../errors.ts'

/** For other servers that start at this moment, in milliseconds. */
const LOCK_MS = 5000

/** @returns The port. @throws {CredentialServerError} */
export async function bindPort(server: Server, host: string, port: number): Promise<number> {
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  } catch (cause) {
    throw listenError(`${host}, port ${port}`, cause)
  }
}

/**
 * Listens on a UNIX socket that only this user may connect to: mode 0600, in a folder where others can't put their own in its
 * place. A socket that a killed server left behind is replaced.
 * @throws {CredentialServerError}
 */
export async function bindSocket(server: Server, path: string): Promise<void> {
  try {
    const folder = await openFolder(fs, await fs.realpath(dirname(path)))
    try {
      assertFolder(folder)
      await listenPrivately(server, path).catch(async (error: unknown) => {
        if (!isInUse(error) || !(await isLeftBehind(path))) throw error
        await replace(server, path, folder)
      })
    } finally {
      await folder.close()
    }
  } catch (cause) {
    throw cause instanceof CredentialServerError ? cause : listenError(path, cause)
  }
}

/** Under a lock: of two servers that start at once, the second would remove the socket of the first. */
async function replace(server: Server, path: string, folder: Folder): Promise<void> {
  const lock = await lockFile(fs, folder, basename(path), { waitMs: LOCK_MS })
  try {
    if (await isLeftBehind(path)) await fs.unlink(path)
    await listenPrivately(server, path)
  } finally {
    await lock.release()
  }
}

/** Whoever can rename the socket can be asked in its stead. */
function assertFolder({ path, stat }: Folder): void {
  const isSticky = (stat.mode & 0o1000) !== 0 // as /tmp: others may add, and not replace
  if ((stat.uid === 0 || stat.uid === process.geteuid?.()) && ((stat.mode & 0o022) === 0 || isSticky)) return
  throw new CredentialServerError('ERR_SERVER_LISTEN', `other users can replace files in the folder ${path}`)
}

/** Node binds before `listen` returns, so nothing else is made under this umask, and there is no moment without it. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const listening = once(server, 'listening')
  const before = process.umask(0o177)
  try {
    server.listen({ path, exclusive: true })
  } finally {
    process.umask(before)
  }
  await listening
}

async function isLeftBehind(path: string): Promise<boolean> {
  const stat = await fs.lstat(path).catch(() => undefined)
  if (stat?.isSocket() !== true) return false
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

function isInUse(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
}

function listenError(where: string, cause: unknown): CredentialServerError {
  const code = isInUse(cause) ? 'ERR_SERVER_ADDRESS_IN_USE' : 'ERR_SERVER_LISTEN'
  const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
  return new CredentialServerError(code, `can't listen on ${where}: ${why}`, { cause })
}
