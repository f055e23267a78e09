import { canonicalHeaders, type Headers } from './canonical-headers.ts'
import { canonicalPath, canonicalQuery, parseQuery, uriEncode } from './canonical-uri.ts'
import type { HmacBackend } from './hmac-backend.ts'
import { assertAccessKeyId, assertScopePart, assertSessionToken } from './internal/assert.ts'
import { amzDateOf, authorization, payloadHashOf, presignPairs, signCanonical } from './sign-canonical.ts'
import { signingKeysOf } from './signing-keys.ts'

/** What {@link createHmacSigner} needs. */
export interface HmacSignerInit {
  /** Has the key `AWS4<secret access key>`. */
  backend: HmacBackend
  /** `AKIA…`, or `ASIA…` with its session token. */
  accessKeyId: string
  /** Signing region: `us-east-1`. */
  region: string
  /** Signing name of the service: `sts`, `s3`, `dynamodb`. */
  service: string
  /** Of temporary credentials whose secret the backend has. */
  sessionToken?: string
  /** How paths are written: `s3` as they are, `other` normalised and encoded once more. Default: by the service. */
  pathRule?: 's3' | 'other'
  /** Whether to send `x-amz-content-sha256`. S3 wants it, others take it. Default: by the service. */
  contentSha256Header?: boolean
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: () => number
}

/** A request that is about to be sent: by its URL, or by the host and the path as they will stand on the wire. */
export type SignableRequest = {
  /** Default: `GET`. */
  method?: string
  /** Any case; several values of a name as an array. `host` is added. */
  headers?: Headers
  /** As it will be sent. */
  body?: string | Uint8Array
} & ({ url: string | URL; host?: never; path?: never } | { host: string; path: string; url?: never })

/** How one request is signed. */
export interface SignOptions {
  /** Gives up waiting for the backend. */
  signal?: AbortSignal
  /** Another time than the clock's; its day must be today's or next to it. */
  signingDate?: Date
  /** `unsigned` leaves the body out of the signature (`UNSIGNED-PAYLOAD`); S3 over TLS only. Default: `signed`. */
  payload?: 'signed' | 'unsigned'
}

/** How a URL is presigned. */
export interface PresignOptions extends Omit<SignOptions, 'payload'> {
  /** Seconds that the URL is good for, 1 to 604800. Default: 900. */
  expiresInSeconds?: number
  /** Default: `unsigned` for S3, `signed` for others. */
  payload?: 'signed' | 'unsigned'
}

/** Signs requests of one service in one region. */
export interface HmacSigner {
  /**
   * @returns All headers to send, names in lower case: those given, `host`, `x-amz-date`, `authorization` and what else the
   * service wants.
   */
  sign(request: SignableRequest, options?: SignOptions): Promise<Record<string, string>>
  /** @returns The same request with the headers to send. Its body is read into memory. */
  sign(request: Request, options?: SignOptions): Promise<Request>
  /** @returns A URL that holds the signature. Headers other than `host` must be sent as they were given. */
  presign(request: SignableRequest, options?: PresignOptions): Promise<URL>
}

const S3_LIKE: ReadonlySet<string> = new Set(['s3', 's3-object-lambda', 's3-outposts', 's3express'])
const UNSIGNED = 'UNSIGNED-PAYLOAD'
const MAX_EXPIRES_SECONDS = 604_800

/**
 * Makes a SigV4 signer whose first HMAC is computed by a backend. The backend is asked once for each day; the keys that are
 * derived from its answer are kept for that day, region and service, in memory, by backend.
 *
 * @throws {TypeError} on an option that can't be right. `sign` and `presign` throw {@link SigV4Error}, `HmacBackendError`, the
 * signal's reason, and `TypeError` for a request that can't be sent.
 * @see {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html AWS, "Signature Version 4"}
 */
export function createHmacSigner(init: HmacSignerInit): HmacSigner {
  const { backend, accessKeyId, region, service, sessionToken, clock = Date.now } = init
  assertAccessKeyId(accessKeyId)
  assertScopePart('region', region)
  assertScopePart('service', service)
  assertSessionToken(sessionToken)
  const isS3 = S3_LIKE.has(service)
  const { pathRule = isS3 ? 's3' : 'other', contentSha256Header = isS3 } = init
  const keys = signingKeysOf(backend)
  const suffix = `/${region}/${service}`

  const contextOf = ({ signingDate, signal }: SignOptions | PresignOptions) => {
    const nowMs = clock()
    const amzDate = amzDateOf(signingDate === undefined ? nowMs : signingDate.getTime())
    return { keys, nowMs, amzDate, scope: amzDate.slice(0, 8) + suffix, signal }
  }

  async function signPlain(request: SignableRequest, options: SignOptions): Promise<Record<string, string>> {
    const method = methodOf(request)
    const { host, path, query } = targetOf(request)
    const context = contextOf(options)
    const headers = sendable(request.headers, host)
    const payloadHash = options.payload === 'unsigned' ? UNSIGNED : payloadHashOf(request.body)
    headers['x-amz-date'] = context.amzDate
    if (sessionToken !== undefined) headers['x-amz-security-token'] = sessionToken
    if (contentSha256Header || options.payload === 'unsigned') headers['x-amz-content-sha256'] ??= payloadHash
    const signed = canonicalHeaders(headers)
    const signature = await signCanonical(
      {
        method,
        path: canonicalPath(path, pathRule),
        query: canonicalQuery(parseQuery(query)),
        headers: signed,
        payloadHash: headers['x-amz-content-sha256'] ?? payloadHash,
      },
      context,
    )
    headers.authorization = authorization(accessKeyId, context.scope, signed.names, signature)
    return headers
  }

  async function signFetch(request: Request, options: SignOptions): Promise<Request> {
    const body = request.body === null ? undefined : new Uint8Array(await request.clone().arrayBuffer())
    const plain = { method: request.method, url: request.url, headers: Object.fromEntries(request.headers) }
    const { host: _, ...headers } = await signPlain(body === undefined ? plain : { ...plain, body }, options)
    return new Request(request, { headers })
  }

  async function presign(request: SignableRequest, options: PresignOptions = {}): Promise<URL> {
    const { expiresInSeconds = 900, payload = isS3 ? 'unsigned' : 'signed' } = options
    if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > MAX_EXPIRES_SECONDS) {
      throw new RangeError(`"expiresInSeconds" must be 1 to ${MAX_EXPIRES_SECONDS}`)
    }
    const { protocol, host, path, query } = targetOf(request)
    const context = contextOf(options)
    const { authorization: _, 'x-amz-date': __, ...headers } = sendable(request.headers, host)
    const signed = canonicalHeaders(headers)
    const { amzDate, scope } = context
    const extra = presignPairs({ accessKeyId, scope, amzDate, expiresInSeconds, names: signed.names, sessionToken })
    const pairs = [...parseQuery(query), ...extra]
    const payloadHash = payload === 'unsigned' ? UNSIGNED : payloadHashOf(request.body)
    const signature = await signCanonical(
      {
        method: methodOf(request),
        path: canonicalPath(path, pathRule),
        query: canonicalQuery(pairs),
        headers: signed,
        payloadHash: headers['x-amz-content-sha256'] ?? payloadHash,
      },
      context,
    )
    const text = [...pairs, ['X-Amz-Signature', signature] as const]
      .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
      .join('&')
    const url = new URL(`${protocol}//${host}${path}?${text}`)
    if (url.host !== host.toLowerCase() || url.pathname !== path) {
      throw new TypeError('"path" has segments that URLs rewrite: what was signed would not be what is sent')
    }
    return url
  }

  const sign = (request: SignableRequest | Request, options: SignOptions = {}) =>
    isFetchRequest(request) ? signFetch(request, options) : signPlain(request, options)
  return { sign: sign as HmacSigner['sign'], presign }
}

/** Not `instanceof Request`: to look at that name loads all of Node's fetch, 30 ms for a program that does not use it. */
const isFetchRequest = (request: SignableRequest | Request): request is Request => 'arrayBuffer' in request

const HOST = /^(?:[a-z\d.-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i
/** No fragment, and no backslash, which URLs take for a slash. */
const PATH = /^\/[^\p{Cc}\p{Cs}#\\]*$/u
const METHOD = /^[A-Za-z]{1,20}$/
/** RFC 9110, section 5.6.2. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/

interface Target {
  /** `https:` */
  readonly protocol: string
  readonly host: string
  readonly path: string
  readonly query: string
}

function targetOf(request: SignableRequest): Target {
  if (request.url !== undefined) {
    const url = typeof request.url === 'string' ? new URL(request.url) : request.url
    return { protocol: url.protocol, host: url.host, path: url.pathname, query: url.search.slice(1) }
  }
  const { host, path } = request
  if (!HOST.test(host)) throw new TypeError('"host" must be a name or an address, perhaps with a port')
  if (!PATH.test(path)) throw new TypeError('"path" must begin with /, and have no #, \\ or control characters')
  const at = path.indexOf('?')
  const protocol = 'https:'
  if (at === -1) return { protocol, host, path, query: '' }
  return { protocol, host, path: path.slice(0, at), query: path.slice(at + 1) }
}

function methodOf({ method = 'GET' }: SignableRequest): string {
  if (!METHOD.test(method)) throw new TypeError('"method" must be a method of HTTP')
  return method
}

/** The given headers with names in lower case, `host` first, without a signature of somebody else. */
function sendable(given: Headers = {}, host: string): Record<string, string> {
  const headers: Record<string, string> = { host }
  for (const name in given) {
    const value = given[name]
    if (value === undefined) continue
    if (!HEADER_NAME.test(name)) throw new TypeError('"headers" has a name that is none')
    const lower = name.toLowerCase()
    if (lower === 'authorization' || lower === 'x-amz-date' || lower === 'date') continue
    const text = typeof value === 'string' ? value : value.map((it) => it.trim()).join(',')
    headers[lower] = Object.hasOwn(headers, lower) && lower !== 'host' ? `${headers[lower]},${text}` : text
  }
  return headers
}
