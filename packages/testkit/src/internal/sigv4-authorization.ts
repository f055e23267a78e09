import { AwsRefusal } from '../errors.ts'
import type { SignedHttpRequest } from '../sigv4-verify.ts'
import { headerValues, queryPairs, splitTarget } from './sigv4-canonical.ts'

/** What a request says about its own signature. */
export interface Authorization {
  readonly accessKeyId: string
  /** `YYYYMMDD/region/service/aws4_request` */
  readonly scope: string
  readonly day: string
  readonly region: string
  readonly service: string
  /** Lowercase and sorted. */
  readonly signedHeaders: readonly string[]
  /** 64 lowercase hex characters. */
  readonly signature: string
  /** `YYYYMMDDTHHMMSSZ`, UTC */
  readonly amzDate: string
  readonly sessionToken: string | undefined
  /** Lifetime of a presigned URL in seconds; `undefined` in the header form. */
  readonly expiresSeconds: number | undefined
}

const HEADER = /^AWS4-HMAC-SHA256 Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([^,\s]+)$/
const MAX_EXPIRES_SECONDS = 604_800

/**
 * Reads the `Authorization` header, or the `X-Amz-*` parameters of a presigned URL; never both.
 *
 * @throws {AwsRefusal} `MissingAuthenticationToken` without either, `IncompleteSignature` on anything malformed.
 */
export function parseAuthorization(request: SignedHttpRequest): Authorization {
  const authorization = single(headerValues(request, 'authorization'), 'Authorization')
  const query = queryPairs(splitTarget(request.target)[1])
  const presigned = query.some(([name]) => name === 'X-Amz-Signature' || name === 'X-Amz-Algorithm')
  if (authorization !== undefined && presigned) throw incomplete('two signatures')
  if (authorization !== undefined) return fromHeader(request, authorization)
  if (presigned) return fromQuery(query)
  throw new AwsRefusal('MissingAuthenticationToken', 'Request is missing Authentication Token')
}

function fromHeader(request: SignedHttpRequest, authorization: string): Authorization {
  const [, credential, signedHeaders, signature] = HEADER.exec(authorization) ?? []
  if (credential === undefined) throw incomplete('Authorization')
  return {
    ...parseCredential(credential),
    ...parseSigned(signedHeaders!, signature!),
    amzDate: parseDate(single(headerValues(request, 'x-amz-date'), 'X-Amz-Date')),
    sessionToken: single(headerValues(request, 'x-amz-security-token'), 'X-Amz-Security-Token'),
    expiresSeconds: undefined,
  }
}

function fromQuery(query: readonly [string, string][]): Authorization {
  const value = (name: string) =>
    single(
      query.filter(([other]) => other === name).map(([, text]) => text),
      name,
    )
  const expires = value('X-Amz-Expires') ?? ''
  if (value('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') throw incomplete('X-Amz-Algorithm')
  if (!/^[1-9]\d{0,5}$/.test(expires) || Number(expires) > MAX_EXPIRES_SECONDS) throw incomplete('X-Amz-Expires')
  return {
    ...parseCredential(value('X-Amz-Credential') ?? ''),
    ...parseSigned(value('X-Amz-SignedHeaders') ?? '', value('X-Amz-Signature') ?? ''),
    amzDate: parseDate(value('X-Amz-Date')),
    sessionToken: value('X-Amz-Security-Token'),
    expiresSeconds: Number(expires),
  }
}

function parseCredential(credential: string) {
  const parts = /^(\w{1,128})\/((\d{8})\/([\w-]+)\/([\w-]+)\/aws4_request)$/.exec(credential)
  if (parts === null) throw incomplete('Credential')
  const [, accessKeyId, scope, day, region, service] = parts as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  return { accessKeyId, scope, day, region, service }
}

function parseSigned(headers: string, signature: string) {
  const signedHeaders = headers.split(';')
  const sorted = [...new Set(signedHeaders)].sort()
  if (!/^[a-z0-9;-]+$/.test(headers) || sorted.join(';') !== headers) throw incomplete('SignedHeaders')
  if (!/^[0-9a-f]{64}$/.test(signature)) throw incomplete('Signature')
  return { signedHeaders, signature }
}

function parseDate(text: string | undefined): string {
  if (text === undefined || !/^\d{8}T\d{6}Z$/.test(text) || Number.isNaN(amzDateMs(text)))
    throw incomplete('X-Amz-Date')
  return text
}

/** Milliseconds since 1970 of `YYYYMMDDTHHMMSSZ`; NaN where there is no such time. */
export const amzDateMs = (text: string): number =>
  Date.parse(text.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))

function single(values: readonly string[], name: string): string | undefined {
  if (values.length > 1) throw incomplete(name)
  return values[0]
}

const incomplete = (what: string): AwsRefusal =>
  new AwsRefusal('IncompleteSignature', `The request signature does not conform to AWS standards: ${what}`)
