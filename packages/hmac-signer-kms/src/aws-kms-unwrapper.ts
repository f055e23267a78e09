import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { awsKmsError } from './internal/aws-kms-error.ts'
import { originOf } from './internal/checks.ts'
import { onceLoaded } from './internal/load-sdk.ts'
import type { KeyWrapper } from './key-unwrapper.ts'

/** As much of an SDK's `KMSClient` as is used. */
export interface AwsKmsClient {
  send(command: never, options?: { abortSignal?: AbortSignal }): Promise<unknown>
  destroy(): void
}

/** Keys that may call the KMS, or a provider of them, as the AWS SDK takes them. */
export type AwsKmsCredentials = AwsKmsIdentity | (() => Promise<AwsKmsIdentity>)

export interface AwsKmsIdentity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** What {@link awsKmsUnwrapper} needs. */
export interface AwsKmsUnwrapperInit {
  /** ARN of a symmetric key. No alias: an alias may be moved to another key. */
  readonly keyId: string
  /** Default: the region in the ARN. Any other is refused. */
  readonly region?: string
  /** What ciphertexts are bound to. It is written to CloudTrail in clear. Default: nothing. */
  readonly encryptionContext?: Readonly<Record<string, string>>
  /** Your own client, which stays open. Without it `@aws-sdk/client-kms` is loaded when it is needed. */
  readonly client?: AwsKmsClient
  /** Default: the SDK's chain of providers. Never keys that this backend itself makes. */
  readonly credentials?: AwsKmsCredentials
  /** `https://host[:port]` of a VPC endpoint. Default: AWS's own; endpoints of environment and profiles are not looked at. */
  readonly endpoint?: string
  /** Allows `http:` in `endpoint`, on loopback only: for tests. */
  readonly dangerouslyAllowPlaintextEndpoint?: boolean
}

const KEY_ARN = /^arn:aws[\w-]*:kms:([a-z\d-]+):\d{12}:key\/[\w-]{1,128}$/

/**
 * A symmetric key of AWS KMS.
 *
 * @throws {TypeError} on options that can't be right.
 * @see {@link https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html API reference, Decrypt}
 */
export function awsKmsUnwrapper(init: AwsKmsUnwrapperInit): KeyWrapper {
  const { keyId, encryptionContext: context = {}, client: own } = init
  const [, region] = KEY_ARN.exec(keyId) ?? []
  if (region === undefined) throw new TypeError('"keyId" must be the ARN of a key, arn:aws:kms:…:key/…')
  if (init.region !== undefined && init.region !== region) throw new TypeError('"region" is not that of "keyId"')
  if (Object.values(context).some((it) => typeof it !== 'string'))
    throw new TypeError('"encryptionContext" holds strings')
  if (init.endpoint !== undefined) {
    originOf('endpoint', init.endpoint, init.dangerouslyAllowPlaintextEndpoint === true)
  }
  const sdk = onceLoaded('@aws-sdk/client-kms', () => import('@aws-sdk/client-kms'))
  let made: Promise<AwsKmsClient> | undefined
  const clientOf = async (): Promise<AwsKmsClient> => {
    if (own !== undefined) return own
    const { KMSClient } = await sdk()
    const { endpoint, credentials } = init
    return new KMSClient({
      region,
      ignoreConfiguredEndpointUrls: true,
      // Said aloud, so that no environment variable can turn it off: secrets go this way in clear.
      requestHandler: { httpsAgent: { rejectUnauthorized: true, minVersion: 'TLSv1.2' } },
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
    })
  }

  /** One call, all errors in our words. */
  async function call(command: (kms: Sdk) => object, signal: AbortSignal): Promise<Answer> {
    const kms = await sdk()
    made ??= clientOf()
    try {
      const answer = (await (await made).send(command(kms) as never, { abortSignal: signal })) as Answer
      if (answer.KeyId === keyId) return answer
    } catch (cause) {
      throw awsKmsError(cause, keyId)
    }
    throw new HmacBackendError('ERR_HMAC_UNTRUSTED', `kms: another key than ${keyId} answered`)
  }

  const common = { KeyId: keyId, ...(Object.keys(context).length === 0 ? {} : { EncryptionContext: { ...context } }) }
  return {
    kms: 'aws-kms',
    keyId,
    context: { ...context },
    async unwrap(CiphertextBlob, { signal }) {
      const { Plaintext } = await call((kms) => new kms.DecryptCommand({ ...common, CiphertextBlob }), signal)
      return octetsOf(Plaintext, 'Plaintext')
    },
    async wrap(Plaintext, { signal }) {
      const { CiphertextBlob } = await call((kms) => new kms.EncryptCommand({ ...common, Plaintext }), signal)
      return octetsOf(CiphertextBlob, 'CiphertextBlob')
    },
    async close() {
      if (own !== undefined || made === undefined) return
      const client = await made
      client.destroy()
    },
  }
}

type Sdk = typeof import('@aws-sdk/client-kms')

interface Answer {
  readonly KeyId?: string
  readonly Plaintext?: unknown
  readonly CiphertextBlob?: unknown
}

/** A copy, and the SDK's own octets are wiped. */
function octetsOf(value: unknown, field: string): Uint8Array {
  if (!ArrayBuffer.isView(value) || value.byteLength === 0) {
    throw new HmacBackendError('ERR_HMAC_RESPONSE', `kms: an answer without ${field}`)
  }
  const view = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  const copy = Uint8Array.from(view)
  view.fill(0)
  return copy
}
