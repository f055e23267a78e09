import { createHash } from 'node:crypto'
import { type AwsErrorCode, AwsRefusal } from './errors.ts'
import type { Principal } from './internal/accounts.ts'
import { policiesAllow } from './internal/session-policy.ts'
import { decode, queryPairs, splitTarget } from './internal/sigv4-canonical.ts'
import { type Xml, xml } from './internal/xml.ts'

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'
const MAX_KEYS = 1000

/** Buckets by name, objects by key. */
export type Buckets = Map<string, ReadonlyMap<string, string>>

/** A path-style S3 request, understood but not yet allowed. */
export interface S3Operation {
  readonly action: 'ListBuckets' | 'ListObjects' | 'ListObjectsV2' | 'HeadBucket' | 'GetObject' | 'HeadObject'
  readonly bucket: string
  readonly key: string
  /** Query parameters, without those of a presigned URL and of SDKs. */
  readonly params: Readonly<Record<string, string>>
}

/** What goes back to the client. */
export interface S3Answer {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Reads a request target.
 *
 * @throws {AwsRefusal} `NotImplemented` or `MethodNotAllowed` on all that this read-only emulator does not do.
 */
export function parseS3(method: string, target: string): S3Operation {
  const [path, query] = splitTarget(target)
  const [bucket = '', ...rest] = path.slice(1).split('/').map(decode)
  const key = rest.join('/')
  const params = Object.fromEntries(queryPairs(query).filter(([name]) => !/^(x-amz-.*|x-id)$/i.test(name)))
  if (method !== 'GET' && method !== 'HEAD') throw new AwsRefusal('MethodNotAllowed', 'This emulator is read-only')
  const action = actionOf(method, bucket, key, params)
  const unknown = Object.keys(params).find((name) => !(PARAMETERS[action] ?? []).includes(name))
  if (unknown !== undefined) throw new AwsRefusal('NotImplemented', `The emulator does not know '${unknown}'`)
  return { action, bucket, key, params }
}

function actionOf(method: string, bucket: string, key: string, params: S3Operation['params']): S3Operation['action'] {
  if (bucket === '') return 'ListBuckets'
  if (key !== '') return method === 'HEAD' ? 'HeadObject' : 'GetObject'
  if (method === 'HEAD') return 'HeadBucket'
  return params['list-type'] === '2' ? 'ListObjectsV2' : 'ListObjects'
}

const LISTING = ['prefix', 'delimiter', 'encoding-type', 'max-keys']
const PARAMETERS: Partial<Record<S3Operation['action'], readonly string[]>> = {
  ListObjects: [...LISTING, 'marker'],
  ListObjectsV2: [...LISTING, 'list-type', 'start-after', 'continuation-token', 'fetch-owner'],
}

/**
 * Answers a request whose signature has been verified. Users may do all; a session with a policy what that allows.
 *
 * @throws {AwsRefusal} `AccessDenied`, `NoSuchBucket`, `NoSuchKey`, `InvalidArgument`.
 */
export function answerS3(operation: S3Operation, buckets: Buckets, caller: Principal, sourceIp: string): S3Answer {
  const policies = caller.session?.policies ?? []
  if (!policiesAllow(policies, { ...permissionOf(operation), sourceIp })) {
    throw new AwsRefusal('AccessDenied', 'Access Denied')
  }
  if (operation.action === 'ListBuckets') return document(listBuckets(buckets, caller))
  const objects = buckets.get(operation.bucket)
  if (objects === undefined) throw new AwsRefusal('NoSuchBucket', 'The specified bucket does not exist')
  if (operation.action === 'HeadBucket') return { headers: { 'x-amz-bucket-region': 'us-east-1' }, body: '' }
  if (operation.key === '') return document(listObjects(operation, objects))
  const content = objects.get(operation.key)
  if (content === undefined) throw new AwsRefusal('NoSuchKey', 'The specified key does not exist.')
  return { headers: objectHeaders(content), body: content }
}

/** The XML of a refusal. */
export const s3Error = ({ code, message }: AwsRefusal, requestId: string): string =>
  PROLOG +
  xml([
    [
      'Error',
      [
        ['Code', code],
        ['Message', message],
        ['RequestId', requestId],
      ],
    ],
  ])

/** S3 has its own names for what is wrong with a signature. */
export function s3Refusal({ code, message, status }: AwsRefusal): AwsRefusal {
  const renamed = S3_CODES[code]
  if (renamed !== undefined) return new AwsRefusal(renamed, message)
  return new AwsRefusal(code, message, code === 'ExpiredToken' ? 400 : status)
}

const S3_CODES: Partial<Record<AwsErrorCode, AwsErrorCode>> = {
  MissingAuthenticationToken: 'AccessDenied',
  IncompleteSignature: 'AuthorizationHeaderMalformed',
  InvalidClientTokenId: 'InvalidAccessKeyId',
  RequestExpired: 'RequestTimeTooSkewed',
}

/** Actions and resources: Service Authorization Reference, Amazon S3. */
function permissionOf({ action, bucket, key }: S3Operation): { action: string; resource: string } {
  if (action === 'ListBuckets') return { action: 's3:ListAllMyBuckets', resource: '*' }
  if (key === '') return { action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}` }
  return { action: 's3:GetObject', resource: `arn:aws:s3:::${bucket}/${key}` }
}

function listBuckets(buckets: Buckets, caller: Principal): Xml {
  const bucket = (name: string): [string, Xml] => [
    'Bucket',
    [
      ['Name', name],
      ['CreationDate', CREATED.toISOString()],
    ],
  ]
  return [
    [
      `ListAllMyBucketsResult xmlns="${NAMESPACE}"`,
      [
        ['Owner', [['ID', createHash('sha256').update(caller.arn).digest('hex')]]],
        ['Buckets', [...buckets.keys()].sort().map(bucket)],
      ],
    ],
  ]
}

function listObjects({ bucket, params, action }: S3Operation, objects: ReadonlyMap<string, string>): Xml {
  const { prefix = '', delimiter = '', 'encoding-type': encoding } = params
  const v2 = action === 'ListObjectsV2'
  const after = (v2 ? (decodeToken(params['continuation-token']) ?? params['start-after']) : params.marker) ?? ''
  const limit = maxKeys(params['max-keys'])
  const rolled = (key: string): string => {
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    return end < 0 ? key : key.slice(0, end + delimiter.length)
  }
  const found = [...new Set([...objects.keys()].filter((key) => key.startsWith(prefix)).map(rolled))].sort()
  const rest = found.filter((key) => key > after)
  const page = rest.slice(0, limit)
  const truncated = page.length < rest.length
  const name = (key: string) => (encoding === 'url' ? encodeURIComponent(key).replaceAll('%2F', '/') : key)
  const entry = (key: string): [string, Xml] => {
    const content = objects.get(key)
    if (content === undefined || rolled(key) !== key) return ['CommonPrefixes', [['Prefix', name(key)]]]
    return ['Contents', [['Key', name(key)], ...contentFacts(content)]]
  }
  return [
    [
      `ListBucketResult xmlns="${NAMESPACE}"`,
      [
        ['Name', bucket],
        ['Prefix', name(prefix)],
        ['Delimiter', delimiter === '' ? undefined : name(delimiter)],
        ['EncodingType', encoding],
        ['MaxKeys', String(limit)],
        ['KeyCount', v2 ? String(page.length) : undefined],
        ['IsTruncated', String(truncated)],
        [v2 ? 'NextContinuationToken' : 'NextMarker', truncated ? nextPage(page.at(-1) ?? '', v2) : undefined],
        ...page.map(entry),
      ],
    ],
  ]
}

function maxKeys(text: string | undefined): number {
  if (text === undefined) return MAX_KEYS
  if (!/^\d{1,9}$/.test(text)) throw new AwsRefusal('InvalidArgument', 'max-keys is not a number')
  return Math.min(Number(text), MAX_KEYS)
}

const nextPage = (key: string, v2: boolean): string => (v2 ? Buffer.from(key).toString('base64url') : key)
const decodeToken = (token: string | undefined): string | undefined =>
  token === undefined ? undefined : Buffer.from(token, 'base64url').toString()

const CREATED = new Date('2026-01-01T00:00:00Z')
const etag = (content: string): string => `"${createHash('md5').update(content).digest('hex')}"`

const contentFacts = (content: string): [string, Xml][] => [
  ['LastModified', CREATED.toISOString()],
  ['ETag', etag(content)],
  ['Size', String(Buffer.byteLength(content))],
  ['StorageClass', 'STANDARD'],
]

const objectHeaders = (content: string): Record<string, string> => ({
  'content-type': 'binary/octet-stream',
  'content-length': String(Buffer.byteLength(content)),
  etag: etag(content),
  'last-modified': CREATED.toUTCString(),
})

const PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n'
const document = (content: Xml): S3Answer => ({
  headers: { 'content-type': 'application/xml' },
  body: PROLOG + xml(content),
})
