import { createHmac, timingSafeEqual } from 'node:crypto'
import { AwsRefusal } from './errors.ts'
import { type Authorization, amzDateMs, parseAuthorization } from './internal/sigv4-authorization.ts'
import { canonicalRequest, headerValues, queryPairs, sha256Hex, splitTarget } from './internal/sigv4-canonical.ts'

/** A request as it came over the wire. */
export interface SignedHttpRequest {
  readonly method: string
  /** Path and query, still encoded. */
  readonly target: string
  /** In the order and with the repetitions of the wire. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
}

/** The key behind an access key id. */
export interface SigV4Key {
  readonly secretAccessKey: string
  /** Temporary keys only: what the request has to carry, and until when (milliseconds since 1970). */
  readonly session?: { readonly token: string; readonly expiresAtMs: number } | undefined
}

/** What the verifier expects. */
export interface SigV4Expectations {
  /** The service that has to be in the credential scope, `sts`. `s3` also changes the rules for path and payload. */
  readonly service: string
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** How far the clocks may be apart. Default: 300 s. */
  readonly maxSkewSeconds?: number
  findKey(accessKeyId: string): SigV4Key | undefined
}

/**
 * Verifies an AWS Signature Version 4, in its header form or as a presigned URL.
 *
 * @returns Whose key signed, and for which region.
 * @throws {AwsRefusal} with the code that STS answers with; `XAmzContentSHA256Mismatch` for S3 alone.
 */
export function verifySigV4(
  request: SignedHttpRequest,
  expected: SigV4Expectations,
): { accessKeyId: string; region: string } {
  const authorization = parseAuthorization(request)
  assertScope(authorization, expected.service)
  assertSignedHeaders(request, authorization)
  assertTime(authorization, expected.nowMs, expected.maxSkewSeconds ?? 300)
  const key = expected.findKey(authorization.accessKeyId)
  if (key === undefined || !sameSession(key, authorization)) {
    throw new AwsRefusal('InvalidClientTokenId', 'The security token included in the request is invalid')
  }
  const canonical = canonicalRequest(request, {
    signedHeaders: authorization.signedHeaders,
    payloadHash: payloadHash(request, authorization, expected.service),
    s3: expected.service === 's3',
  })
  if (!equal(signature(key.secretAccessKey, authorization, canonical), authorization.signature)) {
    throw mismatch('The request signature we calculated does not match the signature you provided')
  }
  if (key.session !== undefined && key.session.expiresAtMs <= expected.nowMs) {
    throw new AwsRefusal('ExpiredToken', 'The security token included in the request is expired')
  }
  return { accessKeyId: authorization.accessKeyId, region: authorization.region }
}

function assertScope({ day, region, service, amzDate }: Authorization, expected: string): void {
  if (service !== expected) throw mismatch(`Credential should be scoped to correct service: '${expected}'`)
  if (!/^[a-z]{2,}(-[a-z]+)+-\d$/.test(region)) throw mismatch('Credential should be scoped to a valid region')
  if (day !== amzDate.slice(0, 8)) throw mismatch('Date in Credential scope does not match the date of the request')
}

/** `host`, the date, and every `x-amz-*` header that is there, the session token above all. */
function assertSignedHeaders(request: SignedHttpRequest, { signedHeaders, expiresSeconds }: Authorization): void {
  const present = new Set(request.headers.map(([name]) => name.toLowerCase()))
  const needed = ['host', ...[...present].filter((name) => name.startsWith('x-amz-'))]
  if (expiresSeconds === undefined) needed.push('x-amz-date')
  const unsigned = needed.find((name) => !signedHeaders.includes(name))
  if (unsigned !== undefined) throw mismatch(`'${unsigned}' must be a signed header`)
  const absent = signedHeaders.find((name) => !present.has(name))
  if (absent !== undefined) throw mismatch(`signed header '${absent}' is not in the request`)
  if (headerValues(request, 'host').length !== 1) throw mismatch(`'host' must be there once`)
}

function assertTime({ amzDate, expiresSeconds }: Authorization, nowMs: number, maxSkewSeconds: number): void {
  const age = (nowMs - amzDateMs(amzDate)) / 1000
  if (age < -maxSkewSeconds) throw new AwsRefusal('RequestExpired', 'Signature not yet current')
  if (age > (expiresSeconds ?? maxSkewSeconds)) throw new AwsRefusal('RequestExpired', 'Request has expired')
}

/** A temporary key comes with exactly its own token, a long-term key with none. */
function sameSession({ session }: SigV4Key, { sessionToken }: Authorization): boolean {
  if (session === undefined || sessionToken === undefined) return session === sessionToken
  return equal(session.token, sessionToken)
}

/** S3 takes the sender's word for the hash, then checks it; all others hash what came. */
function payloadHash(request: SignedHttpRequest, { expiresSeconds }: Authorization, service: string): string {
  const actual = sha256Hex(request.body)
  if (service !== 's3') return actual
  const query = queryPairs(splitTarget(request.target)[1]).find(([name]) => name === 'X-Amz-Content-Sha256')
  const stated = headerValues(request, 'x-amz-content-sha256')[0] ?? query?.[1]
  if (stated === 'UNSIGNED-PAYLOAD' || (stated === undefined && expiresSeconds !== undefined)) return 'UNSIGNED-PAYLOAD'
  if (stated !== actual) {
    throw new AwsRefusal('XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' does not match the payload")
  }
  return actual
}

/** Steps 2 to 4: string to sign, signing key, signature. */
function signature(secret: string, { amzDate, scope }: Authorization, canonical: string): string {
  const key = scope.split('/').reduce<string | Buffer>((step, part) => hmac(step, part), `AWS4${secret}`)
  return hmac(key, ['AWS4-HMAC-SHA256', amzDate, scope, sha256Hex(canonical)].join('\n')).toString('hex')
}

const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest()

const equal = (a: string, b: string): boolean =>
  timingSafeEqual(Buffer.from(sha256Hex(a), 'hex'), Buffer.from(sha256Hex(b), 'hex'))

const mismatch = (message: string): AwsRefusal => new AwsRefusal('SignatureDoesNotMatch', message)
