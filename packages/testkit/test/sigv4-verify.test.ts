import { createHmac } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { AwsRefusal } from '../src/errors.ts'
import { canonicalRequest, sha256Hex } from '../src/internal/sigv4-canonical.ts'
import { type SignedHttpRequest, type SigV4Expectations, type SigV4Key, verifySigV4 } from '../src/sigv4-verify.ts'
import vectors from './vectors/aws-sigv4-examples.json' with { type: 'json' }

type Pair = [string, string]
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const NOW_MS = Date.parse('2015-08-30T12:36:00Z')

/** The code a request is refused with, or `undefined`. */
function codeOf(request: SignedHttpRequest, o: Partial<SigV4Expectations> & { key?: SigV4Key | undefined } = {}) {
  const key = 'key' in o ? o.key : { secretAccessKey: SECRET }
  try {
    verifySigV4(request, { service: 'sts', nowMs: NOW_MS, findKey: () => key, ...o })
    return undefined
  } catch (error) {
    if (error instanceof AwsRefusal) return error.code
    throw error
  }
}

/** Signs with a scope and a list of headers of the test's choice. */
function signed(
  o: { target?: string; body?: string; scope?: string; date?: string; extra?: Pair[]; sign?: string[] } = {},
) {
  const {
    target = '/',
    body = 'Action=GetCallerIdentity&Version=2011-06-15',
    date = '20150830T123600Z',
    extra = [],
  } = o
  const scope = o.scope ?? `${date.slice(0, 8)}/us-east-1/sts/aws4_request`
  const headers: Pair[] = [['Host', 'sts.amazonaws.com'], ['X-Amz-Date', date], ...extra]
  const signedHeaders = (o.sign ?? headers.map(([name]) => name.toLowerCase())).sort()
  const bare = { method: 'POST', target, headers, body: Buffer.from(body) }
  const s3 = scope.includes('/s3/')
  const payloadHash = extra.find(([name]) => name === 'x-amz-content-sha256')?.[1] ?? sha256Hex(body)
  const canonical = canonicalRequest(bare, { signedHeaders, payloadHash, s3 })
  const key = scope.split('/').reduce<string | Buffer>((k, part) => hmac(k, part), `AWS4${SECRET}`)
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256Hex(canonical)}`).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  return { ...bare, headers: [...headers, ['Authorization', authorization] as Pair] }
}
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()
const replaced = (
  request: SignedHttpRequest,
  from: string | RegExp,
  to: (...found: string[]) => string,
): SignedHttpRequest => ({
  ...request,
  headers: request.headers.map(([name, value]) => [name, name === 'Authorization' ? value.replace(from, to) : value]),
})

describe('verifySigV4 on the published examples', () => {
  const expectations = ({ service, now, secret }: (typeof vectors.cases)[number]) => ({
    service,
    nowMs: Date.parse(now),
    key: { secretAccessKey: secret },
  })
  const requestOf = ({ method, target, headers, body }: (typeof vectors.cases)[number]): SignedHttpRequest => ({
    method,
    target,
    headers: headers as Pair[],
    body: Buffer.from(body),
  })

  it.each(vectors.cases)('accepts: $name', (vector) => {
    expect(codeOf(requestOf(vector), expectations(vector))).toBeUndefined()
  })
  it.each(vectors.cases)('refuses with another secret: $name', (vector) => {
    const key = { secretAccessKey: `${vector.secret}x` }
    expect(codeOf(requestOf(vector), { ...expectations(vector), key })).toBe('SignatureDoesNotMatch')
  })
  it.each(vectors.cases)('refuses with another method or query: $name', (vector) => {
    const request = requestOf(vector)
    const target = `${request.target}${request.target.includes('?') ? '&' : '?'}x=1`
    expect(codeOf({ ...request, method: 'DELETE' }, expectations(vector))).toBe('SignatureDoesNotMatch')
    expect(codeOf({ ...request, target }, expectations(vector))).toBe('SignatureDoesNotMatch')
  })
})

describe('verifySigV4 on presigned URLs', () => {
  const vector = vectors.cases.find(({ name }) => name === 'S3 presigned GET')!
  const code = (now: string, target = vector.target) => {
    const request = { method: 'GET', target, headers: vector.headers as Pair[], body: Buffer.of() }
    return codeOf(request, { service: 's3', nowMs: Date.parse(now), key: { secretAccessKey: vector.secret } })
  }

  it('keeps to their lifetime', () => {
    expect(code('2013-05-25T00:00:00Z')).toBeUndefined()
    expect(code('2013-05-25T00:00:01Z')).toBe('RequestExpired')
    expect(code('2013-05-23T23:54:59Z')).toBe('RequestExpired')
  })

  it.each([
    ['a lifetime of more than a week', 'X-Amz-Expires=86400', 'X-Amz-Expires=604801'],
    ['no lifetime', 'X-Amz-Expires=86400', 'x=1'],
    ['another algorithm', 'AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'],
    ['a repeated parameter', 'X-Amz-Expires=86400', 'X-Amz-Expires=86400&X-Amz-Expires=86400'],
  ])('refuses %s', (_, from, to) => {
    expect(code(vector.now, vector.target.replace(from, to))).toBe('IncompleteSignature')
  })
})

describe('verifySigV4', () => {
  it('accepts a request that it should', () => {
    expect(codeOf(signed())).toBeUndefined()
    expect(
      verifySigV4(signed(), { service: 'sts', nowMs: NOW_MS, findKey: () => ({ secretAccessKey: SECRET }) }),
    ).toEqual({
      accessKeyId: 'AKIDEXAMPLE',
      region: 'us-east-1',
    })
  })

  it('refuses a changed octet of the body, the signature or a signed header', () => {
    const request = signed({ extra: [['Content-Type', 'text/plain']] })
    expect(codeOf({ ...request, body: Buffer.from('Action=GetCallerIdentitx&Version=2011-06-15') })).toBe(
      'SignatureDoesNotMatch',
    )
    expect(codeOf(replaced(request, /(?<=Signature=)(?:(0)|.)/, (_, zero) => (zero ? '1' : '0')))).toBe(
      'SignatureDoesNotMatch',
    )
    const headers = request.headers.map(([n, v]): Pair => [n, n === 'Content-Type' ? 'text/html' : v])
    expect(codeOf({ ...request, headers })).toBe('SignatureDoesNotMatch')
  })

  it('refuses a scope of another region, day or service than was signed', () => {
    expect(codeOf(replaced(signed(), 'us-east-1', () => 'eu-west-1'))).toBe('SignatureDoesNotMatch')
    expect(codeOf(signed({ scope: '20150829/us-east-1/sts/aws4_request' }))).toBe('SignatureDoesNotMatch')
    expect(codeOf(signed({ scope: '20150830/us-east-1/iam/aws4_request' }))).toBe('SignatureDoesNotMatch')
    expect(codeOf(signed({ scope: '20150830/nowhere/sts/aws4_request' }))).toBe('SignatureDoesNotMatch')
    expect(codeOf(signed({ scope: '20150830/us-gov-west-1/sts/aws4_request' }))).toBeUndefined()
  })

  it.each([
    ['5 minutes old', 300, undefined],
    ['older', 301, 'RequestExpired'],
    ['5 minutes ahead', -300, undefined],
    ['further ahead', -301, 'RequestExpired'],
  ])('judges a date that is %s', (_, ageSeconds, code) => {
    expect(codeOf(signed(), { nowMs: NOW_MS + ageSeconds * 1000 })).toBe(code)
  })

  it('refuses when host, the date or an x-amz header is not signed', () => {
    const token: Pair = ['X-Amz-Security-Token', 'token']
    const key = { secretAccessKey: SECRET, session: { token: 'token', expiresAtMs: NOW_MS + 1 } }
    expect(codeOf(signed({ sign: ['x-amz-date'] }))).toBe('SignatureDoesNotMatch')
    expect(codeOf(signed({ sign: ['host'] }))).toBe('SignatureDoesNotMatch')
    expect(codeOf(signed({ extra: [token] }), { key })).toBeUndefined()
    expect(codeOf(signed({ extra: [token], sign: ['host', 'x-amz-date'] }), { key })).toBe('SignatureDoesNotMatch')
    expect(codeOf(signed({ sign: ['host', 'x-amz-date', 'x-other'] }))).toBe('SignatureDoesNotMatch')
  })

  it('refuses an unknown key, a foreign or missing session token, and a token on a long-term key', () => {
    const withToken = signed({ extra: [['X-Amz-Security-Token', 'token']] })
    const session = (token: string) => ({ secretAccessKey: SECRET, session: { token, expiresAtMs: NOW_MS + 1 } })
    expect(codeOf(signed(), { key: undefined })).toBe('InvalidClientTokenId')
    expect(codeOf(withToken, { key: session('other') })).toBe('InvalidClientTokenId')
    expect(codeOf(signed(), { key: session('token') })).toBe('InvalidClientTokenId')
    expect(codeOf(withToken)).toBe('InvalidClientTokenId')
  })

  it('refuses an expired session', () => {
    const key = { secretAccessKey: SECRET, session: { token: 'token', expiresAtMs: NOW_MS } }
    expect(codeOf(signed({ extra: [['X-Amz-Security-Token', 'token']] }), { key })).toBe('ExpiredToken')
  })

  it.each<[string, (request: SignedHttpRequest) => SignedHttpRequest, string]>([
    ['nothing at all', (r) => ({ ...r, headers: r.headers.slice(0, 2) }), 'MissingAuthenticationToken'],
    ['two Authorization headers', (r) => ({ ...r, headers: [...r.headers, r.headers[2]!] }), 'IncompleteSignature'],
    ['header and query', (r) => ({ ...r, target: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256' }), 'IncompleteSignature'],
    ['another algorithm', (r) => replaced(r, 'AWS4-HMAC-SHA256', () => 'AWS4-HMAC-SHA1'), 'IncompleteSignature'],
    ['unsorted signed headers', (r) => replaced(r, 'host;x-amz-date', () => 'x-amz-date;host'), 'IncompleteSignature'],
    ['a scope without its end', (r) => replaced(r, '/aws4_request', () => ''), 'IncompleteSignature'],
    ['a short signature', (r) => replaced(r, /.$/, () => ''), 'IncompleteSignature'],
    ['no date', (r) => ({ ...r, headers: r.headers.filter(([n]) => n !== 'X-Amz-Date') }), 'IncompleteSignature'],
    ['a broken percent-encoding', (r) => ({ ...r, target: '/?a=%zz' }), 'IncompleteSignature'],
  ])('refuses %s', (_, change, code) => {
    expect(codeOf(change(signed()))).toBe(code)
  })

  it('takes a stated payload hash for S3 alone, and checks it there', () => {
    const s3 = { service: 's3' }
    const scope = '20150830/us-east-1/s3/aws4_request'
    const stating = (hash: string) => signed({ scope, extra: [['x-amz-content-sha256', hash]] })
    expect(codeOf(stating('UNSIGNED-PAYLOAD'), s3)).toBeUndefined()
    expect(codeOf(stating(sha256Hex('Action=GetCallerIdentity&Version=2011-06-15')), s3)).toBeUndefined()
    expect(codeOf(stating(sha256Hex('other')), s3)).toBe('XAmzContentSHA256Mismatch')
    expect(codeOf(signed({ scope }), s3)).toBe('XAmzContentSHA256Mismatch')
    expect(codeOf(signed({ extra: [['x-amz-content-sha256', 'UNSIGNED-PAYLOAD']] }))).toBe('SignatureDoesNotMatch')
  })

  it('encodes paths twice and normalises them, except for S3', () => {
    const path = (target: string, s3: boolean) =>
      canonicalRequest(
        { method: 'GET', target, headers: [], body: Buffer.of() },
        { signedHeaders: [], payloadHash: '', s3 },
      ).split('\n')[1]
    expect(path('/a%20b/../c//d/', false)).toBe('/c/d/')
    expect(path('/a%20b', false)).toBe('/a%2520b')
    expect(path('/a%20b/../c//d', true)).toBe('/a%20b/../c//d')
    expect(path('/', false)).toBe('/')
  })
})
