import { randomBytes } from 'node:crypto'
import { KmsRefusal } from './json.ts'

/** A token, and how long it lives. */
export interface VaultToken {
  readonly token: string
  readonly namespace: string
  readonly renewable: boolean
  /** Seconds that it lives, and that a renewal adds. 0: for ever. */
  readonly ttlSeconds: number
  /** Milliseconds since 1970 beyond which nothing renews it. */
  readonly maxExpiresAtMs: number
  expiresAtMs: number
  /** Names of keys that it may use; all where there is no list. */
  readonly keys: readonly string[] | undefined
}

export interface TokenInit {
  ttlSeconds?: number
  /** Default: ten times `ttlSeconds`. */
  maxTtlSeconds?: number
  renewable?: boolean
  namespace?: string
  keys?: readonly string[]
}

/** Service tokens with a lifetime, as in auth/token. */
export interface VaultTokens {
  issue(init?: TokenInit): VaultToken
  revoke: (token: string) => void
  /** @throws {KmsRefusal} 403, as Vault does whatever is wrong with a token. */
  authenticate(token: string | undefined, namespace: string): VaultToken
  renew(token: VaultToken): void
}

/** @param now Milliseconds since 1970. */
export function createVaultTokens(now: () => number): VaultTokens {
  const tokens = new Map<string, VaultToken>()
  return {
    issue({ ttlSeconds = 3600, maxTtlSeconds = ttlSeconds * 10, renewable = true, namespace = '', keys } = {}) {
      const token: VaultToken = {
        token: `hvs.${randomBytes(24).toString('base64url')}`,
        namespace,
        renewable,
        ttlSeconds,
        keys,
        maxExpiresAtMs: now() + maxTtlSeconds * 1000,
        expiresAtMs: ttlSeconds === 0 ? Number.POSITIVE_INFINITY : now() + ttlSeconds * 1000,
      }
      tokens.set(token.token, token)
      return token
    },
    revoke: (token) => void tokens.delete(token),
    authenticate(text, namespace) {
      const token = tokens.get(text ?? '')
      // A token is good in its own namespace and below.
      const isInside =
        token !== undefined && `${namespace}/`.startsWith(token.namespace === '' ? '' : `${token.namespace}/`)
      if (token === undefined || !isInside || token.expiresAtMs <= now())
        throw new KmsRefusal(403, '', 'permission denied')
      return token
    },
    renew(token) {
      if (!token.renewable) throw new KmsRefusal(400, '', 'lease is not renewable')
      token.expiresAtMs = Math.min(now() + token.ttlSeconds * 1000, token.maxExpiresAtMs)
    },
  }
}

/** The `auth` member of a login's or a renewal's answer. */
export function authOf(token: VaultToken, nowMs: number): object {
  return {
    client_token: token.token,
    accessor: 'accessor',
    policies: ['default', 'signer'],
    lease_duration: leftSeconds(token, nowMs),
    renewable: token.renewable,
  }
}

/** Whole seconds that it has left; 0 for one without an end. */
export function leftSeconds(token: VaultToken, nowMs: number): number {
  return Number.isFinite(token.expiresAtMs) ? Math.floor((token.expiresAtMs - nowMs) / 1000) : 0
}
