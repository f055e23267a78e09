import type {
  AwsCredentialIdentity,
  DateInput,
  HttpRequest,
  Provider,
  QueryParameterBag,
  RequestPresigningArguments,
  RequestSigningArguments,
} from '@smithy/types'
import { canonicalHeaders } from './canonical-headers.ts'
import { canonicalPath, canonicalQuery, type QueryPairs } from './canonical-uri.ts'
import { SigV4Error } from './errors.ts'
import type { HmacBackend } from './hmac-backend.ts'
import { assertAccessKeyId, assertScopePart, assertSessionToken } from './internal/assert.ts'
import { amzDateOf, authorization, payloadHashOf, presignPairs, signCanonical } from './sign-canonical.ts'
import { signingKeysOf } from './signing-keys.ts'

/** What an AWS SDK client hands to its signer's constructor; more than is used here. */
export interface SdkSignerInit {
  readonly credentials: AwsCredentialIdentity | Provider<AwsCredentialIdentity>
  readonly region: string | Provider<string>
  readonly service: string
  readonly uriEscapePath?: boolean
  readonly applyChecksum?: boolean
}

/** A signer as AWS SDK clients use it. */
export interface SdkSigner {
  sign(request: HttpRequest, options?: RequestSigningArguments): Promise<HttpRequest>
  presign(request: HttpRequest, options?: RequestPresigningArguments): Promise<HttpRequest>
}

const MAX_SKEW_MS = 5 * 60_000
const MAX_EXPIRES_SECONDS = 604_800
const CONTENT_SHA256 = 'x-amz-content-sha256'

/**
 * Makes a class for the `signerConstructor` of any AWS SDK v3 client, so that every call is signed by the backend's key, without
 * an STS session. The client still wants `credentials`: see {@link hardwareCredentials}.
 *
 * `sign` and `presign` throw {@link SigV4Error} and `HmacBackendError`, also where the SDK has put its own clock right by more
 * than 5 minutes: a wrong clock is for an operator to see.
 *
 * @param options.clock Milliseconds since the epoch. Default: `Date.now`.
 */
export function hmacSignerConstructor(
  backend: HmacBackend,
  { clock = Date.now }: { clock?: () => number } = {},
): new (
  init: SdkSignerInit,
) => SdkSigner {
  const keys = signingKeysOf(backend)

  return class HmacSdkSigner implements SdkSigner {
    readonly #init: SdkSignerInit

    constructor(init: SdkSignerInit) {
      this.#init = init
    }

    async sign(toSign: HttpRequest, options: RequestSigningArguments = {}): Promise<HttpRequest> {
      assertRequest(toSign)
      const context = await this.#context(options)
      const request = copyOf(toSign)
      const { headers } = request
      for (const name of Object.keys(headers)) if (REPLACED.has(name.toLowerCase())) delete headers[name]
      headers['x-amz-date'] = context.amzDate
      if (context.sessionToken !== undefined) headers['x-amz-security-token'] = context.sessionToken
      const given = headerOf(headers, CONTENT_SHA256) // in whatever case: a second one would change what is signed
      const payloadHash = given ?? hashOf(request.body)
      if (given === undefined && this.#init.applyChecksum !== false) headers[CONTENT_SHA256] = payloadHash
      const signed = canonicalHeaders(headers, rulesOf(options))
      const query = canonicalQuery(pairsOf(request.query ?? {}))
      const signature = await signCanonical(
        { method: request.method, path: this.#path(request), query, headers: signed, payloadHash },
        context,
      )
      headers.authorization = authorization(context.accessKeyId, context.scope, signed.names, signature)
      return request
    }

    async presign(given: HttpRequest, options: RequestPresigningArguments = {}): Promise<HttpRequest> {
      assertRequest(given)
      const { expiresIn = 3600, unhoistableHeaders, hoistableHeaders } = options
      if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > MAX_EXPIRES_SECONDS) {
        throw new RangeError(`"expiresIn" must be 1 to ${MAX_EXPIRES_SECONDS} seconds`)
      }
      const context = await this.#context(options)
      const request = copyOf(given)
      const payloadHash = headerOf(request.headers, CONTENT_SHA256) ?? hashOf(request.body)
      const query: QueryParameterBag = { ...request.query }
      for (const name of Object.keys(request.headers)) {
        const lower = name.toLowerCase()
        if (REPLACED.has(lower)) delete request.headers[name]
        else if ((lower.startsWith('x-amz-') && !unhoistableHeaders?.has(lower)) || hoistableHeaders?.has(lower)) {
          query[name] = request.headers[name] ?? ''
          delete request.headers[name]
        }
      }
      const signed = canonicalHeaders(request.headers, rulesOf(options))
      const { names } = signed
      for (const [name, value] of presignPairs({ ...context, names, expiresInSeconds: expiresIn })) query[name] = value
      request.query = query
      query['X-Amz-Signature'] = await signCanonical(
        {
          method: request.method,
          path: this.#path(request),
          query: canonicalQuery(pairsOf(query)),
          headers: signed,
          payloadHash,
        },
        context,
      )
      return request
    }

    /** What the SDK calls for S3 Express, whose sessions have keys of their own. */
    signWithCredentials(): Promise<never> {
      return Promise.reject(
        new SigV4Error('ERR_SIGV4_UNSUPPORTED', 'sessions of S3 Express are not signed by this key'),
      )
    }

    #path({ path }: HttpRequest): string {
      return canonicalPath(path, this.#init.uriEscapePath === false ? 's3' : 'other')
    }

    /** Who signs, where and when. */
    async #context({ signingDate, signingRegion, signingService }: RequestSigningArguments) {
      const { credentials, region: ownRegion, service: ownService } = this.#init
      const { accessKeyId, sessionToken } = typeof credentials === 'function' ? await credentials() : credentials
      const region = signingRegion ?? (typeof ownRegion === 'function' ? await ownRegion() : ownRegion)
      const service = signingService ?? ownService
      assertAccessKeyId(accessKeyId)
      assertSessionToken(sessionToken)
      if (region.includes('*') || region.includes(',')) {
        throw new SigV4Error('ERR_SIGV4_UNSUPPORTED', 'several regions need SigV4A, which is not an HMAC')
      }
      assertScopePart('region', region)
      assertScopePart('service', service)
      const nowMs = clock()
      const dateMs = signingDate === undefined ? nowMs : msOf(signingDate)
      if (!(Math.abs(dateMs - nowMs) <= MAX_SKEW_MS)) {
        throw new SigV4Error('ERR_SIGV4_CLOCK', `asked to sign for a time ${secondsApart(dateMs, nowMs)} off the clock`)
      }
      const amzDate = amzDateOf(dateMs)
      const scope = `${amzDate.slice(0, 8)}/${region}/${service}`
      return { keys, nowMs, amzDate, scope, signal: undefined, accessKeyId, sessionToken }
    }
  }
}

/**
 * What a client's `credentials` are when its `signerConstructor` has the key: the id, which is no secret, and a secret that is
 * not one.
 *
 * @throws {TypeError} where this is no access key id.
 */
export function hardwareCredentials(accessKeyId: string): AwsCredentialIdentity {
  assertAccessKeyId(accessKeyId)
  return { accessKeyId, secretAccessKey: 'in-hardware' }
}

const REPLACED: ReadonlySet<string> = new Set(['authorization', 'x-amz-date', 'date'])

/** Signers of the SDK are asked for other things as well: policies of forms, events of a stream. */
function assertRequest(given: unknown): asserts given is HttpRequest {
  const isRequest = typeof given === 'object' && given !== null && 'method' in given && 'path' in given
  if (!isRequest) throw new SigV4Error('ERR_SIGV4_UNSUPPORTED', 'only HTTP requests are signed')
}

/** A request of the same class, whose headers and query are its own. */
function copyOf(request: HttpRequest): HttpRequest {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(request) as object) as HttpRequest, request)
  copy.headers = { ...request.headers }
  copy.query = { ...request.query }
  return copy
}

function headerOf(headers: Readonly<Record<string, string>>, lower: string): string | undefined {
  const name = Object.keys(headers).find((it) => it.toLowerCase() === lower)
  return name === undefined ? undefined : headers[name]
}

/** A body that only comes later is left out, as the SDK does; the service says whether it takes that. */
function hashOf(body: unknown): string {
  if (body === undefined || body === null) return payloadHashOf(undefined)
  if (typeof body === 'string') return payloadHashOf(body)
  if (ArrayBuffer.isView(body)) return payloadHashOf(new Uint8Array(body.buffer, body.byteOffset, body.byteLength))
  return body instanceof ArrayBuffer ? payloadHashOf(new Uint8Array(body)) : 'UNSIGNED-PAYLOAD'
}

function pairsOf(query: QueryParameterBag): QueryPairs {
  return Object.entries(query).flatMap(([name, value]) => {
    if (name.toLowerCase() === 'x-amz-signature' || value === null || value === undefined) return []
    return (typeof value === 'string' ? [value] : value).map((it) => [name, it] as const)
  })
}

const rulesOf = ({ unsignableHeaders, signableHeaders }: RequestSigningArguments) => ({
  unsignable: unsignableHeaders,
  signable: signableHeaders,
})

/** Numbers are seconds, as in the SDK. */
const msOf = (date: DateInput): number => (typeof date === 'number' ? date * 1000 : new Date(date).getTime())

const secondsApart = (a: number, b: number): string => `${Math.round(Math.abs(a - b) / 1000)} s`
