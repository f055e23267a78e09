import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import type { VaultAuth } from '../vault-auth.ts'

/** What to show Vault now: a token, or the body of a login. */
export type VaultCredential =
  | { readonly token: string }
  | { readonly path: string; readonly body: Readonly<Record<string, string>> }

const KUBERNETES_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'
const MAX_OCTETS = 16_384

/** Reads the files anew: sinks of Vault Agent and service-account tokens are replaced while we run. @throws {HmacBackendError} */
export async function readCredential(auth: VaultAuth): Promise<VaultCredential> {
  if ('token' in auth) return { token: auth.token }
  if ('tokenFile' in auth) return { token: await lineOf(auth.tokenFile, assertSecret) }
  if ('appRole' in auth) {
    const { roleId, mount = 'approle' } = auth.appRole
    const secret =
      'secretIdFile' in auth.appRole
        ? await lineOf(auth.appRole.secretIdFile, assertSecret)
        : Buffer.from(auth.appRole.secretId).toString('utf8')
    return { path: `auth/${mount}/login`, body: { role_id: roleId, secret_id: secret } }
  }
  const { role, jwtFile = KUBERNETES_TOKEN, mount = 'kubernetes' } = auth.kubernetes
  return { path: `auth/${mount}/login`, body: { role, jwt: await lineOf(jwtFile, assertOurs) } }
}

/** True where logging in again, or reading again, may give another token. */
export const canReplace = (auth: VaultAuth): boolean => !('token' in auth)

/** @throws {TypeError} naming the option. */
export function assertAuth(auth: VaultAuth): void {
  if ('token' in auth) {
    if (!isToken(auth.token)) throw new TypeError('"auth.token" is not a token')
  } else if ('appRole' in auth) {
    if (auth.appRole.roleId === '') throw new TypeError('"auth.appRole.roleId" is empty')
    assertMount(auth.appRole.mount)
  } else if ('kubernetes' in auth) {
    if (auth.kubernetes.role === '') throw new TypeError('"auth.kubernetes.role" is empty')
    assertMount(auth.kubernetes.mount)
  } else if (!('tokenFile' in auth)) {
    throw new TypeError('"auth" must have token, tokenFile, appRole or kubernetes')
  }
}

/** A path below /v1, of which no part steps aside. @throws {TypeError} */
export function assertMount(mount: string | undefined): void {
  if (mount !== undefined && !/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(mount))
    throw new TypeError('"mount" must be a path')
}

/** Fits a header. */
export const isToken = (token: string): boolean => /^[\x21-\x7e]{1,4096}$/.test(token)

/** @param check Of what the descriptor stands for: what the path stands for may change meanwhile. */
async function lineOf(path: string, check: (path: string, stat: Stats) => void): Promise<string> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK) // a FIFO would wait for its writer
    check(path, await file.stat())
    const text = (await readStart(file)).trim()
    if (isPrintable(text)) return text
  } catch (cause) {
    if (cause instanceof HmacBackendError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw refused(path, `can't be read (${code})`)
  } finally {
    await file?.close()
  }
  throw refused(path, 'holds no credential')
}

/** A service account's token has the mode that the cluster gave it. */
function assertOurs(path: string, stat: Stats): void {
  if (!stat.isFile()) throw refused(path, 'is not a regular file')
  if (stat.uid !== 0 && stat.uid !== process.getuid?.()) throw refused(path, 'belongs to somebody else')
}

function assertSecret(path: string, stat: Stats): void {
  assertOurs(path, stat)
  if ((stat.mode & 0o077) !== 0) throw refused(path, 'is open to others; chmod 600 it')
}

/** @returns Nothing where there is more than a credential has. */
async function readStart(file: FileHandle): Promise<string> {
  const buffer = Buffer.alloc(MAX_OCTETS + 1)
  try {
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null)
      length += bytesRead
      if (length > MAX_OCTETS) return ''
      if (bytesRead === 0) return buffer.toString('utf8', 0, length)
    }
  } finally {
    buffer.fill(0)
  }
}

const refused = (path: string, why: string): HmacBackendError =>
  new HmacBackendError('ERR_HMAC_DENIED', `vault: ${path} ${why}`)

const isPrintable = (text: string): boolean => /^[\x21-\x7e]+$/.test(text)
