import { createHash } from 'node:crypto'
import { AwsRefusal } from '../errors.ts'
import type { SignedHttpRequest } from '../sigv4-verify.ts'

// Written from "Create a signed AWS API request" (AWS IAM User Guide), not from any SDK.

/** The parts of a canonical request that its sender did not fix by the request alone. */
export interface CanonicalInit {
  readonly signedHeaders: readonly string[]
  /** Lowercase hex of SHA-256, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string
  /** S3 encodes a path once and never normalises it; everybody else encodes twice. */
  readonly s3: boolean
}

/** Step 1: the canonical request. */
export function canonicalRequest(request: SignedHttpRequest, init: CanonicalInit): string {
  const [path, query] = splitTarget(request.target)
  return [
    request.method,
    init.s3 ? encodePath(path, decode) : encodePath(removeDotSegments(path), (segment) => segment),
    canonicalQuery(query),
    ...init.signedHeaders.map((name) => `${name}:${canonicalHeader(request, name)}`),
    '',
    init.signedHeaders.join(';'),
    init.payloadHash,
  ].join('\n')
}

/** Lowercase hex of SHA-256. */
export const sha256Hex = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

/** Path and query of a request target, both as they stand on the wire. */
export function splitTarget(target: string): [path: string, query: string] {
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

/** Names and values of a query string, percent-decoded. A plus sign is a space, as in forms. */
export function queryPairs(query: string): [name: string, value: string][] {
  const parts = query
    .replaceAll('+', '%20')
    .split('&')
    .filter((part) => part !== '')
  return parts.map((part) => {
    const equals = part.indexOf('=')
    return equals < 0 ? [decode(part), ''] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))]
  })
}

/** All values of a header, in order. `name` is lowercase. */
export const headerValues = ({ headers }: SignedHttpRequest, name: string): string[] =>
  headers.filter(([header]) => header.toLowerCase() === name).map(([, value]) => value)

const canonicalHeader = (request: SignedHttpRequest, name: string): string =>
  headerValues(request, name)
    .map((value) => value.trim().replace(/ +/g, ' '))
    .join(',')

/** Sorted by encoded name, then by encoded value, both by code point; without the signature itself. */
function canonicalQuery(query: string): string {
  return queryPairs(query)
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]): [string, string] => [encode(name), encode(value)])
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

const encodePath = (path: string, before: (segment: string) => string): string =>
  path
    .split('/')
    .map((segment) => encode(before(segment)))
    .join('/')

/** RFC 3986 §5.2.4, and redundant slashes too. */
function removeDotSegments(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '.' && segment !== '') kept.push(segment)
  }
  const tail = kept.length > 0 && /\/\.{0,2}$/.test(path) ? '/' : ''
  return `/${kept.join('/')}${tail}`
}

/** Everything but the unreserved characters of RFC 3986 §2.3, uppercase hex. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** @throws {AwsRefusal} `IncompleteSignature` on a broken percent-encoding. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new AwsRefusal('IncompleteSignature', 'The request target has a broken percent-encoding')
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
