import { readFile, stat } from 'node:fs/promises'
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
  if ('tokenFile' in auth) return { token: await lineOf(auth.tokenFile) }
  if ('appRole' in auth) {
    const { roleId, mount = 'approle' } = auth.appRole
    const secret =
      'secretIdFile' in auth.appRole
        ? await lineOf(auth.appRole.secretIdFile)
        : Buffer.from(auth.appRole.secretId).toString('utf8')
    return { path: `auth/${mount}/login`, body: { role_id: roleId, secret_id: secret } }
  }
  const { role, jwtFile = KUBERNETES_TOKEN, mount = 'kubernetes' } = auth.kubernetes
  return { path: `auth/${mount}/login`, body: { role, jwt: await lineOf(jwtFile) } }
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

async function lineOf(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    const text = size > MAX_OCTETS ? '' : (await readFile(path, 'utf8')).trim()
    if (isPrintable(text)) return text
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new HmacBackendError('ERR_HMAC_DENIED', `vault: ${path} can't be read (${code})`)
  }
  throw new HmacBackendError('ERR_HMAC_DENIED', `vault: ${path} holds no credential`)
}

const isPrintable = (text: string): boolean => /^[\x21-\x7e]+$/.test(text)
