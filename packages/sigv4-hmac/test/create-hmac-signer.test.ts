import { verifySigV4 } from '@hardbound/testkit'
import { describe, expect, it } from '@jest/globals'
import { createHmacSigner, type HmacSignerInit, type SignableRequest } from '../src/create-hmac-signer.ts'
import { softwareHmac } from '../src/software-backend.ts'

const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const NOW = Date.parse('2026-08-22T12:00:00Z')
const backend = softwareHmac({ secretAccessKey })
const signerOf = (init: Partial<HmacSignerInit> = {}) =>
  createHmacSigner({ backend, accessKeyId, region: 'us-east-1', service: 'sts', clock: () => NOW, ...init })
const POST: SignableRequest = {
  method: 'POST',
  url: 'https://sts.us-east-1.amazonaws.com/',
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  body: 'Action=GetCallerIdentity&Version=2011-06-15',
}

/** Has the testkit, which shares no code with us, verify what would be sent. */
function verify(o: {
  method?: string
  target: string
  headers: Record<string, string>
  body?: string
  service?: string
}) {
  return verifySigV4(
    {
      method: o.method ?? 'GET',
      target: o.target,
      headers: Object.entries(o.headers),
      body: Buffer.from(o.body ?? ''),
    },
    {
      service: (o.service ?? 'sts') as 'sts',
      nowMs: NOW,
      maxSkewSeconds: 300,
      findKey: (id) => (id === accessKeyId ? ({ secretAccessKey } as never) : undefined),
    },
  )
}

describe('createHmacSigner', () => {
  it('signs what an independent verifier accepts', async () => {
    const headers = await signerOf().sign(POST)
    expect(Object.keys(headers).sort()).toEqual(['authorization', 'content-type', 'host', 'x-amz-date'])
    expect(verify({ method: 'POST', target: '/', headers, body: String(POST.body) })).toMatchObject({ accessKeyId })
    expect(() => verify({ method: 'POST', target: '/', headers, body: 'Action=Other' })).toThrow()
  })

  it('S3 has its own rule for paths, and is told the hash of the payload', async () => {
    const s3 = signerOf({ service: 's3' })
    const headers = await s3.sign({
      url: 'https://bucket.s3.us-east-1.amazonaws.com/a%20b//c%2Bd?list-type=2&prefix=%C3%A9',
    })
    expect(headers['x-amz-content-sha256']).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    verify({ target: '/a%20b//c%2Bd?list-type=2&prefix=%C3%A9', headers, service: 's3' })
  })

  it('takes the host and the path as they stand on the wire', async () => {
    const byUrl = await signerOf().sign({ url: 'https://example.com/a/b?x=1&y=' })
    const byPath = await signerOf().sign({ host: 'example.com', path: '/a/b?x=1&y=' })
    expect(byPath).toEqual(byUrl)
  })

  it('reads + in a query as a space, as AWS does', async () => {
    const plus = await signerOf().sign({ url: 'https://example.com/?q=a+b' })
    const percent = await signerOf().sign({ url: 'https://example.com/?q=a%20b' })
    const literal = await signerOf().sign({ url: 'https://example.com/?q=a%2Bb' })
    expect(plus.authorization).toBe(percent.authorization)
    expect(literal.authorization).not.toBe(percent.authorization)
    verify({ target: '/?q=a+b', headers: plus })
  })

  it('signs a fetch Request, body included', async () => {
    const request = new Request(String(POST.url), {
      method: 'POST',
      body: String(POST.body),
      headers: POST.headers as never,
    })
    const signed = await signerOf().sign(request)
    const headers = { host: 'sts.us-east-1.amazonaws.com', ...Object.fromEntries(signed.headers) }
    verify({ method: 'POST', target: '/', headers, body: await signed.text() })
    expect(request.headers.has('authorization')).toBe(false)
  })

  it('S06 signs the session token', async () => {
    const headers = await signerOf({ sessionToken: 'token' }).sign(POST)
    expect(headers['x-amz-security-token']).toBe('token')
    expect(headers.authorization).toContain('x-amz-security-token')
  })

  it('leaves the payload out where it is asked to, and says so to the service', async () => {
    const headers = await signerOf({ service: 's3' }).sign({ ...POST, method: 'PUT' }, { payload: 'unsigned' })
    expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD')
    verify({ method: 'PUT', target: '/', headers, body: 'anything', service: 's3' })
  })

  it('puts its own signature in the place of another', async () => {
    const headers = await signerOf().sign({ ...POST, headers: { Authorization: 'x', 'X-Amz-Date': 'y', Date: 'z' } })
    expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256 /)
    expect(headers['x-amz-date']).toBe('20260822T120000Z')
    expect(headers).not.toHaveProperty('date')
  })

  it.each([
    ['region', { region: 'us-east-1/x' }],
    ['region', { region: 'us-east-1\r\n' }],
    ['region', { region: 'a\0b' }],
    ['region', { region: '' }],
    ['service', { service: 's/3' }],
    ['service', { service: 's3\n' }],
    ['accessKeyId', { accessKeyId: 'AKIA/IOSFODNN7EXAMPLE' }],
    ['accessKeyId', { accessKeyId: 'AKIAIOSFODNN7EXAMPLE\n' }],
    ['accessKeyId', { accessKeyId: '' }],
    ['sessionToken', { sessionToken: 'a\r\nx-evil: 1' }],
  ])('S03 refuses %s = %j', (name, init) => {
    expect(() => signerOf(init)).toThrow(new RegExp(`^"${name}"`))
  })

  it.each([
    { method: 'GET\n/evil' },
    { method: '' },
    { headers: { 'x\nhost:evil': '1' } },
    { headers: { 'a b': '1' } },
  ])('S03 refuses %j', async (more) => {
    await expect(signerOf().sign({ ...POST, ...more })).rejects.toThrow(TypeError)
  })

  it('M21 signs for no other day than those next to today', async () => {
    const signingDate = new Date('2030-01-01T00:00:00Z')
    await expect(signerOf().sign(POST, { signingDate })).rejects.toMatchObject({ code: 'ERR_SIGV4_DAY' })
  })

  it('M30 has one day in scope, header and key', async () => {
    for (const [time, day] of [
      ['2026-08-22T23:59:59.900Z', '20260822'],
      ['2026-08-23T00:00:00.100Z', '20260823'],
    ] as const) {
      const headers = await signerOf({ clock: () => Date.parse(time) }).sign(POST)
      expect(headers['x-amz-date']).toContain(`${day}T`)
      expect(headers.authorization).toContain(`/${day}/us-east-1/sts/aws4_request`)
      const request = {
        method: 'POST',
        target: '/',
        headers: Object.entries(headers),
        body: Buffer.from(String(POST.body)),
      }
      verifySigV4(request, {
        service: 'sts',
        nowMs: Date.parse(time),
        maxSkewSeconds: 1,
        findKey: () => ({ secretAccessKey }) as never,
      })
    }
  })

  it('gives up for a caller whose signal fires, and derives for the others', async () => {
    let answer = (_: Uint8Array): void => {}
    const slow = {
      name: 'slow',
      hmacSha256: () => new Promise<Uint8Array>((resolve) => (answer = resolve)),
      close: () => Promise.resolve(),
    }
    const signer = signerOf({ backend: slow })
    const controller = new AbortController()
    const early = signer.sign(POST, { signal: controller.signal })
    const patient = signer.sign(POST)
    controller.abort(new Error('enough'))
    await expect(early).rejects.toThrow('enough')
    answer(new Uint8Array(32))
    await expect(patient).resolves.toHaveProperty('authorization')
  })

  describe('presign', () => {
    it('makes a URL that S3 takes', async () => {
      const url = await signerOf({ service: 's3' }).presign(
        { url: 'https://bucket.s3.us-east-1.amazonaws.com/a%20b?x=%2B' },
        { expiresInSeconds: 60 },
      )
      expect(url.searchParams.get('X-Amz-Expires')).toBe('60')
      verify({ target: `${url.pathname}${url.search}`, headers: { host: url.host }, service: 's3' })
    })
    it.each([
      ['host', { host: 'bucket.s3.amazonaws.com', path: '@evil.example/k' }],
      ['host', { host: 'bucket.s3.amazonaws.com', path: '.evil.example/k' }],
      ['host', { host: 'user@evil.example', path: '/k' }],
      ['host', { host: 'evil.example/x', path: '/k' }],
      ['path', { host: 'example.com', path: '/a#f' }],
      ['path', { host: 'example.com', path: '/a\\b' }],
      ['path', { host: 'example.com', path: '/a\nb' }],
      ['path', { host: 'example.com', path: '/a/../b' }],
      ['path', { host: 'example.com', path: '/a b' }],
    ])('S03 makes no URL of another %s: %j', async (_, request) => {
      await expect(signerOf({ service: 's3' }).presign(request)).rejects.toThrow(TypeError)
    })
    it.each([0, 604_801, 1.5, Number.NaN])('refuses %d seconds', async (expiresInSeconds) => {
      await expect(signerOf().presign(POST, { expiresInSeconds })).rejects.toThrow(RangeError)
    })
  })
})
