import { createHash } from 'node:crypto'
import type { X509Identity, X509KeyType } from './types.ts'

/** A POST that is about to be sent. */
export interface X509SignableRequest {
  /** With the port, where it is not the scheme's own. */
  readonly host: string
  /** Of `A-Za-z0-9-._~/`, as it goes on the wire. */
  readonly path: string
  /** Names and values, not encoded. */
  readonly query: Readonly<Record<string, string>>
  /** Names in lower case. All are signed; `host`, `x-amz-date` and the certificates are added. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a request is signed with. */
export interface X509SigningContext {
  readonly identity: Pick<X509Identity, 'certificate' | 'chain' | 'keyType'>
  /** Serial number of the certificate, decimal. */
  readonly serial: string
  readonly region: string
  /** Milliseconds since the epoch. */
  readonly nowMs: number
}

/** A request that lacks nothing but the signature. */
export interface X509Prepared {
  /** `/sessions?profileArn=…`, as it goes on the wire. */
  readonly target: string
  readonly canonicalRequest: string
  /** What the private key signs, with SHA-256. */
  readonly stringToSign: string
  /** All headers to send, given the signature. */
  headersWith(signature: Uint8Array): Record<string, string>
}

const ALGORITHMS: Readonly<Record<X509KeyType, string>> = {
  rsa: 'AWS4-X509-RSA-SHA256',
  ec: 'AWS4-X509-ECDSA-SHA256',
  'ml-dsa': 'AWS4-X509-MLDSA',
}

/**
 * Everything of a SigV4-X509 request that can be said before it is signed. Nothing is checked: what comes in is right already.
 *
 * @see {@link https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html IAM Roles Anywhere, "Signing process"}
 */
export function prepareX509Request(request: X509SignableRequest, context: X509SigningContext): X509Prepared {
  const { identity, serial, region, nowMs } = context
  const amzDate = new Date(nowMs).toISOString().replace(/[:-]|\.\d{3}/g, '')
  const scope = `${amzDate.slice(0, 8)}/${region}/rolesanywhere/aws4_request`
  const algorithm = ALGORITHMS[identity.keyType]
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    'x-amz-date': amzDate,
    'x-amz-x509': base64(identity.certificate),
  }
  if (identity.chain.length > 0) headers['x-amz-x509-chain'] = identity.chain.map(base64).join(',')
  const names = Object.keys(headers).sort()
  const query = canonicalQuery(request.query)
  const canonicalRequest = [
    'POST',
    request.path,
    query,
    ...names.map((name) => canonicalHeader(name, headers[name] ?? '')),
    '',
    names.join(';'),
    sha256Hex(request.body),
  ].join('\n')
  const credential = `Credential=${serial}/${scope}, SignedHeaders=${names.join(';')}`
  return {
    target: query === '' ? request.path : `${request.path}?${query}`,
    canonicalRequest,
    stringToSign: [algorithm, amzDate, scope, sha256Hex(canonicalRequest)].join('\n'),
    headersWith: (signature) => ({
      ...headers,
      authorization: `${algorithm} ${credential}, Signature=${Buffer.from(signature).toString('hex')}`,
    }),
  }
}

/** Sorted after encoding, by code unit; all of it is ASCII then. */
function canonicalQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
    .sort()
    .join('&')
}

const canonicalHeader = (name: string, value: string): string => `${name}:${value}`.trim().replace(/ +/g, ' ')

/** RFC 3986, section 2.3: only unreserved characters stay. */
const uriEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`)

const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex')
const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString('base64')
