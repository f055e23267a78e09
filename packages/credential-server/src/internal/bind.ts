import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { type AddressInfo, connect, type Server } from 'node:net'
import { CredentialServerError } from '../errors.ts'

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
 * Listens on a UNIX socket that only this user may connect to: mode 0600. A socket that a killed server left behind is replaced.
 * @throws {CredentialServerError}
 */
export async function bindSocket(server: Server, path: string): Promise<void> {
  try {
    try {
      await listenPrivately(server, path)
    } catch (error) {
      if (!isInUse(error) || !(await isLeftBehind(path))) throw error
      await unlink(path)
      await listenPrivately(server, path)
    }
  } catch (cause) {
    throw listenError(path, cause)
  }
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
  if (!(await lstat(path)).isSocket()) return false
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
