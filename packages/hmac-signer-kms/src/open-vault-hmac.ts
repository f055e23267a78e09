import { assertKnownAnswer, checkKnownAnswer, type HmacBackend, HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { asBackendError, createCallQueue } from './internal/call-queue.ts'
import { assertInteger, assertLimits, fromBase64, isObject, type JsonObject, originOf } from './internal/checks.ts'
import { createVaultClient } from './internal/vault-client.ts'
import { assertAuth, assertMount } from './internal/vault-credential.ts'
import { createVaultSession } from './internal/vault-session.ts'
import type { VaultAuth } from './vault-auth.ts'

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

/** What {@link openVaultHmac} needs. */
export interface OpenVaultHmacInit extends VaultConnectionInit {
  /** Name of the transit key. */
  readonly key: string
  /** Version of the key. Default: the latest at open; a key rotated after that is refused. */
  readonly keyVersion?: number
  /** What the key answered when it was enrolled. */
  readonly knownAnswer?: string
  /** Calls that may wait at once. Default: 256. */
  readonly maxWaiting?: number
}

const NAME = 'vault'
const CONCURRENCY = 8
const TAG = /^vault:v(\d{1,9}):([A-Za-z0-9+/]{43}=)$/

/**
 * HMAC-SHA-256 by Vault's transit engine: the key stays there. Logs in and compares the known answer at open.
 *
 * @throws {TypeError | RangeError} on options that can't be right.
 * @throws {HmacBackendError}
 * @see {@link https://developer.hashicorp.com/vault/api-docs/secret/transit#generate-hmac API, generate HMAC}
 */
export async function openVaultHmac(init: OpenVaultHmacInit): Promise<HmacBackend> {
  const { key, keyVersion, knownAnswer, mount = 'transit', maxWaiting = 256, timeoutMs = 5000 } = init
  if (!/^[\w-][\w.-]{0,127}$/.test(key)) throw new TypeError('"key" must be the name of a transit key')
  if (keyVersion !== undefined) assertInteger('keyVersion', keyVersion, 1, 999_999_999)
  if (knownAnswer !== undefined) assertKnownAnswer(knownAnswer)
  assertLimits({ timeoutMs, maxWaiting })
  const { client, session } = connectVault({ ...init, mount, timeoutMs })
  const queue = createCallQueue({ name: NAME, concurrency: CONCURRENCY, maxWaiting, timeoutMs })
  let version = keyVersion

  async function hmac(message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const body = {
      input: Buffer.from(message).toString('base64'),
      ...(keyVersion === undefined ? {} : { key_version: keyVersion }),
    }
    const ask = (token: string): Promise<JsonObject> =>
      client.ask({ method: 'POST', path: `${mount}/hmac/${key}/sha2-256`, body, token, signal })
    const token = await session.token()
    const answer = await ask(token).catch(async (cause: unknown) => {
      if (!(cause instanceof HmacBackendError) || cause.code !== 'ERR_HMAC_DENIED') throw cause
      const other = await session.replace(token)
      if (other === undefined) throw cause
      return ask(other)
    })
    const { version: answered, tag } = parseTag(answer)
    version ??= answered
    if (answered !== version) {
      throw new HmacBackendError(
        'ERR_HMAC_KEY',
        `vault: version ${answered} of ${key} answered, not ${version}: it was rotated`,
      )
    }
    return tag
  }

  const backend: HmacBackend = {
    name: NAME,
    hmacSha256(message, { signal } = {}) {
      const copy = Uint8Array.from(message)
      return queue.run((inner) => hmac(copy, inner), signal)
    },
    close() {
      queue.close()
      session.close()
      return Promise.resolve()
    },
  }
  try {
    if (knownAnswer === undefined) await backend.hmacSha256(new Uint8Array())
    else await checkKnownAnswer(backend, knownAnswer)
    return backend
  } catch (cause) {
    await backend.close()
    throw asBackendError(cause, NAME)
  }
}

/** Checks what all that speak to a Vault have in common. Sends nothing yet. @throws {TypeError} */
export function connectVault(init: VaultConnectionInit & { mount: string; timeoutMs: number }) {
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

/** `vault:v1:` and 32 octets in base64. */
function parseTag({ data }: JsonObject): { version: number; tag: Uint8Array } {
  const text = isObject(data) && typeof data.hmac === 'string' ? data.hmac : ''
  const [, version, base64] = TAG.exec(text) ?? []
  const tag = fromBase64(base64)
  if (version === undefined || tag?.length !== 32 || version.startsWith('0')) {
    throw new HmacBackendError('ERR_HMAC_RESPONSE', 'vault: not an HMAC in the form vault:v1:…')
  }
  return { version: Number(version), tag: Uint8Array.from(tag) }
}
