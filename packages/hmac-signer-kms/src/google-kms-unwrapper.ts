import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { originOf } from './internal/checks.ts'
import { crc32c } from './internal/crc32c.ts'
import { googleKmsError } from './internal/google-kms-error.ts'
import { onceLoaded } from './internal/load-sdk.ts'
import type { KeyWrapper } from './key-unwrapper.ts'

/** As much of an SDK's `KeyManagementServiceClient` as is used. */
export interface GoogleKmsClient {
  encrypt(request: object, options: object): Promise<readonly unknown[]>
  decrypt(request: object, options: object): Promise<readonly unknown[]>
  close(): Promise<void>
}

/** What {@link googleKmsUnwrapper} needs. */
export interface GoogleKmsUnwrapperInit {
  /** `projects/…/locations/…/keyRings/…/cryptoKeys/…`: the key, not one of its versions. */
  readonly keyName: string
  /** What ciphertexts are bound to. Default: nothing. */
  readonly additionalAuthenticatedData?: Uint8Array
  /** Your own client, which stays open. Without it `@google-cloud/kms` is loaded when it is needed, in its REST mode. */
  readonly client?: GoogleKmsClient
  /** A service account's e-mail and PKCS#8 PEM. Default: Application Default Credentials. */
  readonly credentials?: { readonly client_email: string; readonly private_key: string }
  /** `https://host[:port]`. Default: `https://cloudkms.googleapis.com`. */
  readonly endpoint?: string
  /** Allows `http:` in `endpoint`, on loopback only: for tests. */
  readonly dangerouslyAllowPlaintextEndpoint?: boolean
  /** Milliseconds for each request, its retries included. Default: 5000. */
  readonly timeoutMs?: number
}

const KEY_NAME =
  /^projects\/(?!\.\.?\/)[\w:.-]{1,128}\/locations\/[\w-]{1,63}\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}$/

/**
 * A symmetric key of Google Cloud KMS. Checksums (CRC-32C) are sent and compared in both directions.
 *
 * @throws {TypeError} on options that can't be right.
 * @see {@link https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/decrypt REST reference}
 */
export function googleKmsUnwrapper(init: GoogleKmsUnwrapperInit): KeyWrapper {
  const { keyName: name, additionalAuthenticatedData = new Uint8Array(), timeoutMs = 5000 } = init
  if (!KEY_NAME.test(name)) throw new TypeError('"keyName" must be projects/…/locations/…/keyRings/…/cryptoKeys/…')
  const endpoint =
    init.endpoint === undefined
      ? undefined
      : originOf('endpoint', init.endpoint, init.dangerouslyAllowPlaintextEndpoint === true)
  const sdk = onceLoaded('@google-cloud/kms', () => import('@google-cloud/kms'))
  const aad = Buffer.from(additionalAuthenticatedData)
  const bound =
    aad.length === 0
      ? { name }
      : { name, additionalAuthenticatedData: aad, additionalAuthenticatedDataCrc32c: { value: crc32c(aad) } }
  let made: Promise<GoogleKmsClient> | undefined

  /** The SDK's agents can't be replaced, and Node reads this variable for each connection of theirs. */
  function assertVerifyingTls(): void {
    if (process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0') return
    throw new HmacBackendError('ERR_HMAC_UNTRUSTED', 'kms: NODE_TLS_REJECT_UNAUTHORIZED=0: certificates go unverified')
  }

  async function makeClient(): Promise<GoogleKmsClient> {
    const { KeyManagementServiceClient } = await sdk()
    const { credentials } = init
    const client: unknown = new KeyManagementServiceClient({
      fallback: true, // REST: one HTTPS request, no gRPC channel that outlives it
      ...(credentials === undefined ? {} : { credentials: { ...credentials } }),
      ...(endpoint === undefined
        ? {}
        : {
            apiEndpoint: endpoint.hostname,
            port: Number(endpoint.port === '' ? 443 : endpoint.port),
            protocol: endpoint.protocol.slice(0, -1),
          }),
    })
    return client as GoogleKmsClient
  }

  async function call(method: 'encrypt' | 'decrypt', request: object): Promise<Answer> {
    if (init.client === undefined) assertVerifyingTls()
    try {
      made ??= init.client === undefined ? makeClient() : Promise.resolve(init.client)
      const client = await made.catch((cause: unknown) => {
        made = undefined
        throw cause
      })
      const [answer = {}] = await client[method]({ ...bound, ...request }, { timeout: timeoutMs })
      return answer as Answer
    } catch (cause) {
      throw googleKmsError(cause, name)
    }
  }

  return {
    kms: 'google-kms',
    keyId: name,
    context: aad.length === 0 ? {} : { additionalAuthenticatedData: aad.toString('base64') },
    async unwrap(ciphertext) {
      const answer = await call('decrypt', { ciphertext, ciphertextCrc32c: { value: crc32c(ciphertext) } })
      return guarded(answer.plaintext, answer.plaintextCrc32c)
    },
    async wrap(plaintext) {
      const answer = await call('encrypt', { plaintext, plaintextCrc32c: { value: crc32c(plaintext) } })
      if (answer.name?.startsWith(`${name}/cryptoKeyVersions/`) !== true) {
        throw new HmacBackendError('ERR_HMAC_UNTRUSTED', `kms: another key than ${name} answered`)
      }
      const isAadSeen = aad.length === 0 || answer.verifiedAdditionalAuthenticatedDataCrc32c === true
      if (answer.verifiedPlaintextCrc32c !== true || !isAadSeen) throw corrupt()
      return guarded(answer.ciphertext, answer.ciphertextCrc32c)
    },
    async close() {
      if (init.client !== undefined || made === undefined) return
      const client = await made
      await client.close()
    },
  }
}

interface Answer {
  readonly name?: string
  readonly plaintext?: unknown
  readonly plaintextCrc32c?: unknown
  readonly ciphertext?: unknown
  readonly ciphertextCrc32c?: unknown
  readonly verifiedPlaintextCrc32c?: unknown
  readonly verifiedAdditionalAuthenticatedDataCrc32c?: unknown
}

/** A copy whose checksum is right; the SDK's own octets are wiped. */
function guarded(value: unknown, checksum: unknown): Uint8Array {
  const octets = typeof value === 'string' ? Buffer.from(value, 'base64') : value
  if (!ArrayBuffer.isView(octets) || octets.byteLength === 0) throw corrupt()
  const view = new Uint8Array(octets.buffer, octets.byteOffset, octets.byteLength)
  const copy = Uint8Array.from(view)
  view.fill(0)
  // An Int64Value: a number, a string or a Long, each of which reads as decimal digits.
  const stated = (checksum as { value?: { toString(): string } } | undefined)?.value?.toString()
  if (stated === String(crc32c(copy))) return copy
  copy.fill(0)
  throw corrupt()
}

const corrupt = (): HmacBackendError =>
  new HmacBackendError('ERR_HMAC_RESPONSE', 'kms: a checksum is missing or wrong: octets changed on their way')
