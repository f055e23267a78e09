import { amzDateMs } from '../internal/sigv4-authorization.ts'
import { canonicalRequest, headerValues, sha256Hex } from '../internal/sigv4-canonical.ts'
import type { SignedHttpRequest } from '../sigv4-verify.ts'
import type { Certificate } from './certificate.ts'
import { invalidSignature, RolesAnywhereRefusal } from './refusal.ts'
import { publicKeyOf, verifiesMessage } from './signatures.ts'

/** What a request that is signed with a certificate says about its signature. */
export interface X509Authorization {
  readonly algorithm: string
  /** Decimal. */
  readonly serial: string
  readonly region: string
  /** Lowercase and sorted. */
  readonly signedHeaders: readonly string[]
  /** `YYYYMMDDTHHMMSSZ`, UTC */
  readonly amzDate: string
}

const ALGORITHMS = {
  rsa: 'AWS4-X509-RSA-SHA256',
  ec: 'AWS4-X509-ECDSA-SHA256',
  'ml-dsa': 'AWS4-X509-MLDSA',
  unsupported: undefined,
} as const
const HEADER =
  /^(AWS4-X509-[A-Z0-9-]+) Credential=(\d{1,60})\/((\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request), SignedHeaders=([a-z0-9;-]+), Signature=((?:[0-9a-f]{2}){8,5000})$/
const MAX_SKEW_SECONDS = 300

/**
 * Verifies a SigV4-X509 signature with the key in `certificate`, which nobody has verified so far.
 *
 * @throws {RolesAnywhereRefusal} `MissingAuthenticationTokenException`, `IncompleteSignatureException` on a malformed header, and
 *   `AccessDeniedException` "Invalid signature" on all else; its `detail` says what was wrong.
 */
export function verifyX509Signature(
  request: SignedHttpRequest,
  { certificate, nowMs }: { certificate: Certificate; nowMs: number },
): X509Authorization {
  const { scope, signature, ...authorization } = parseAuthorization(request)
  const { algorithm, serial, signedHeaders, amzDate } = authorization
  const key = publicKeyOf(certificate.spki)
  if (key.kind === 'unsupported') throw invalidSignature(`keys of type ${key.name} are not supported`)
  if (algorithm !== ALGORITHMS[key.kind]) throw invalidSignature(`${algorithm} with a certificate for ${key.kind}`)
  const ownSerial = BigInt(`0x${certificate.serialHex}`).toString()
  if (serial !== ownSerial) throw invalidSignature(`Credential has serial ${serial}, the certificate ${ownSerial}`)
  assertSignedHeaders(request, signedHeaders)
  assertTime(amzDate, scope, nowMs)
  const canonical = canonicalRequest(request, { signedHeaders, payloadHash: sha256Hex(request.body), s3: false })
  const message = [algorithm, amzDate, scope, sha256Hex(canonical)].join('\n')
  if (!verifiesMessage(key, Buffer.from(message), signature)) {
    throw invalidSignature(`the signature is not one of the certificate's key over ${JSON.stringify(canonical)}`)
  }
  return authorization
}

function parseAuthorization(request: SignedHttpRequest): X509Authorization & { scope: string; signature: Buffer } {
  const headers = headerValues(request, 'authorization')
  if (headers.length === 0) {
    throw new RolesAnywhereRefusal('MissingAuthenticationTokenException', 'Missing Authentication Token')
  }
  const parts = headers.length === 1 ? HEADER.exec(headers[0]!) : null
  if (parts === null) throw incomplete('Authorization is not a single one of AWS4-X509, in one piece')
  const [, algorithm, serial, scope, day, region, service, names, signature] = parts as unknown as string[]
  const signedHeaders = names!.split(';')
  if ([...new Set(signedHeaders)].sort().join(';') !== names)
    throw incomplete('SignedHeaders are not sorted, or repeated')
  const [amzDate = '', ...more] = headerValues(request, 'x-amz-date')
  if (!/^\d{8}T\d{6}Z$/.test(amzDate) || Number.isNaN(amzDateMs(amzDate)) || more.length > 0) {
    throw incomplete('X-Amz-Date is not one time YYYYMMDDTHHMMSSZ')
  }
  if (service !== 'rolesanywhere') throw invalidSignature(`the scope is for the service ${service}`)
  if (day !== amzDate.slice(0, 8)) throw invalidSignature('the day of the scope is not that of X-Amz-Date')
  return {
    algorithm: algorithm!,
    serial: serial!,
    scope: scope!,
    region: region!,
    signedHeaders,
    amzDate,
    signature: Buffer.from(signature!, 'hex'),
  }
}

/** `host`, the date, and what came of the certificates; nothing that is not there. */
function assertSignedHeaders(request: SignedHttpRequest, signedHeaders: readonly string[]): void {
  const present = new Set(request.headers.map(([name]) => name.toLowerCase()))
  const needed = ['host', 'x-amz-date', 'x-amz-x509', ...(present.has('x-amz-x509-chain') ? ['x-amz-x509-chain'] : [])]
  const unsigned = needed.find((name) => !signedHeaders.includes(name))
  if (unsigned !== undefined) throw invalidSignature(`${unsigned} is not signed`)
  const absent = signedHeaders.find((name) => !present.has(name))
  if (absent !== undefined) throw invalidSignature(`the signed header ${absent} is not in the request`)
  if (headerValues(request, 'host').length !== 1) throw invalidSignature('host is there more than once')
}

function assertTime(amzDate: string, scope: string, nowMs: number): void {
  const seconds = Math.round((amzDateMs(amzDate) - nowMs) / 1000)
  if (Math.abs(seconds) <= MAX_SKEW_SECONDS) return
  const where = seconds < 0 ? 'behind' : 'ahead'
  throw invalidSignature(`the clock is wrong: X-Amz-Date (${amzDate}, ${scope}) is ${Math.abs(seconds)} s ${where}`)
}

const incomplete = (detail: string): RolesAnywhereRefusal =>
  new RolesAnywhereRefusal(
    'IncompleteSignatureException',
    'The request signature does not conform to AWS standards',
    detail,
  )
