import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type JsonObject, KmsRefusal } from './json.ts'
import { signJwt, verifyJwt } from './jwt.ts'
import type { TokenInit } from './vault-tokens.ts'

const ISSUER = 'https://kubernetes.default.svc.cluster.local'

/** AppRole and Kubernetes logins: who gets which token. */
export interface VaultLogins {
  addAppRole(o: { roleId: string; secretId: string; token?: TokenInit }): void
  addKubernetesRole(o: { role: string; subject: string; audience?: string; token?: TokenInit }): void
  /** A token as the cluster gives it to a pod. */
  serviceAccountToken(o: { subject: string; audience?: string; expiresInSeconds?: number }): string
  /** @throws {KmsRefusal} 400 or 403 */
  login: (method: 'approle' | 'kubernetes', input: JsonObject, nowMs: number) => TokenInit
}

export function createVaultLogins(now: () => number): VaultLogins {
  const appRoles = new Map<string, { secretId: string; token: TokenInit }>()
  const kubernetesRoles = new Map<string, { subject: string; audience: string | undefined; token: TokenInit }>()
  let cluster: { privateKey: KeyObject; publicKey: KeyObject } | undefined
  const clusterKeys = () => {
    if (cluster !== undefined) return cluster
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    cluster = { privateKey, publicKey: createPublicKey(privateKey) }
    return cluster
  }
  return {
    addAppRole: ({ roleId, secretId, token = {} }) => void appRoles.set(roleId, { secretId, token }),
    addKubernetesRole: ({ role, subject, audience, token = {} }) =>
      void kubernetesRoles.set(role, { subject, audience, token }),
    serviceAccountToken({ subject, audience, expiresInSeconds = 3600 }) {
      const iat = Math.floor(now() / 1000)
      const aud = [audience ?? ISSUER]
      return signJwt(clusterKeys().privateKey, { iss: ISSUER, sub: subject, aud, iat, exp: iat + expiresInSeconds })
    },
    login(method, input, nowMs) {
      if (method === 'approle') {
        assertFields(input, ['role_id', 'secret_id'])
        const role = appRoles.get(String(input.role_id))
        if (role === undefined || role.secretId !== input.secret_id) throw refusal(400, 'invalid role or secret ID')
        return role.token
      }
      assertFields(input, ['role', 'jwt'])
      const role = kubernetesRoles.get(String(input.role))
      if (role === undefined) throw refusal(400, `invalid role name "${String(input.role)}"`)
      const claims = verifyJwt(String(input.jwt), nowMs, () => clusterKeys().publicKey)
      if (claims?.iss !== ISSUER) throw refusal(403, 'permission denied')
      if (claims.sub !== role.subject) throw refusal(403, 'service account name not authorized')
      const audiences = Array.isArray(claims.aud) ? claims.aud : []
      if (!audiences.includes(role.audience ?? ISSUER)) throw refusal(403, 'invalid audience (aud) claim')
      return role.token
    },
  }
}

function assertFields(input: JsonObject, names: readonly string[]): void {
  const missing = names.find((name) => typeof input[name] !== 'string' || input[name] === '')
  if (missing !== undefined) throw refusal(400, `missing ${missing}`)
}

const refusal = (status: number, message: string): KmsRefusal => new KmsRefusal(status, '', message)
