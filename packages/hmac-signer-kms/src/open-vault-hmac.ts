import {
  assertKnownAnswer,
  checkKnownAnswer,
  forgetSigningKeys,
  type HmacBackend,
  HmacBackendError,
  knownAnswer,
} from '@hardbound/sigv4-hmac/backend'
import { asBackendError, createCallQueue } from './internal/call-queue.ts'
import { assertInteger, assertLimits, fromBase64, isObject, type JsonObject } from './internal/checks.ts'
import { connectVault, type VaultConnectionInit } from './internal/connect-vault.ts'

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
  const { key, keyVersion, knownAnswer: expected, mount = 'transit', maxWaiting = 256, timeoutMs = 5000 } = init
  if (!/^[\w-][\w.-]{0,127}$/.test(key)) throw new TypeError('"key" must be the name of a transit key')
  if (keyVersion !== undefined) assertInteger('keyVersion', keyVersion, 1, 999_999_999)
  if (expected !== undefined) assertKnownAnswer(expected)
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
    let token = await session.token()
    const answer = await ask(token).catch(async (cause: unknown) => {
      if (!(cause instanceof HmacBackendError) || cause.code !== 'ERR_HMAC_DENIED') throw cause
      const other = await session.replace(token)
      if (other === undefined) throw cause
      token = other
      return ask(token)
    })
    session.worked(token)
    const { version: answered, tag } = parseTag(answer)
    version ??= answered
    if (answered !== version) {
      forgetSigningKeys(backend)
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
      forgetSigningKeys(backend)
      return session.close()
    },
  }
  try {
    if (expected === undefined)
      await knownAnswer(backend) // it works, and this is its version
    else await checkKnownAnswer(backend, expected)
    return backend
  } catch (cause) {
    await backend.close()
    throw asBackendError(cause, NAME)
  }
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
