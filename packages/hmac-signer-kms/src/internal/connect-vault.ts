import type { VaultAuth } from '../vault-auth.ts'
import { originOf } from './checks.ts'
import { createVaultClient, type VaultClient } from './vault-client.ts'
import { assertAuth, assertMount } from './vault-credential.ts'
import { createVaultSession, type VaultSession } from './vault-session.ts'

/** Where a Vault is and how it is spoken to. */
export interface VaultConnectionInit {
  /** `https://host[:port]` of a node, or of several of one cluster: tried in order. Redirects are followed to these alone. */
  readonly address: string | readonly string[]
  readonly auth: VaultAuth
  /** Path of the transit engine. Default: `transit`. */
  readonly mount?: string
  /** Vault Enterprise and HCP: `admin/team`. */
  readonly namespace?: string
  /** PEM of the authorities to trust. Default: those of Node. */
  readonly ca?: string | Buffer
  /** Milliseconds for each call, logins and other nodes included. Default: 5000. */
  readonly timeoutMs?: number
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: () => number
  /** Allows `http:` on loopback: for tests and Vault Agent's listener. */
  readonly dangerouslyAllowPlaintextEndpoint?: boolean
}

/** Checks what all that speak to a Vault have in common. Sends nothing yet. @throws {TypeError} */
export function connectVault(init: VaultConnectionInit & { mount: string; timeoutMs: number }): {
  client: VaultClient
  session: VaultSession
} {
  const { address, auth, mount, namespace, ca, timeoutMs, clock = Date.now, dangerouslyAllowPlaintextEndpoint } = init
  const nodes = [address].flat().map((it) => originOf('address', it, dangerouslyAllowPlaintextEndpoint === true))
  if (nodes.length === 0) throw new TypeError('"address" is empty')
  assertMount(mount)
  if (namespace !== undefined && !/^[\w-]+(\/[\w-]+)*\/?$/.test(namespace))
    throw new TypeError('"namespace" must be a path')
  assertAuth(auth)
  // Each node gets its share, so that one that hangs does not use up the time of all.
  const client = createVaultClient({ nodes, namespace, ca, timeoutMs: Math.ceil(timeoutMs / nodes.length) })
  return { client, session: createVaultSession({ client, auth, timeoutMs, clock }) }
}
