import { createHmac, createPrivateKey } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { crc32c } from '../src/kms/crc32c.ts'
import { signJwt } from '../src/kms/jwt.ts'
import { startAwsKms, startGoogleKms, startVault, type TestGoogleKms, type TestVault } from '../src/kms.ts'
import { askUrl } from './helpers.ts'

const KEY = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
const DAY = Buffer.from('20150830').toString('base64')

describe('startVault', () => {
  let vault: TestVault
  beforeEach(async () => {
    vault = await startVault()
    vault.addKey('transit', 'aws', KEY)
  })
  afterEach(() => vault.close())

  const ask = async (path: string, body: object | undefined, headers: Record<string, string> = {}) => {
    const method = body === undefined ? 'GET' : 'POST'
    const { status, text } = await askUrl(`${vault.address}/v1/${path}`, { method, headers }, JSON.stringify(body))
    return { status, answer: text === '' ? undefined : (JSON.parse(text) as unknown) }
  }
  const token = (init?: Parameters<TestVault['addToken']>[0]) => ({ 'x-vault-token': vault.addToken(init) })

  it('makes the HMAC that node:crypto makes', async () => {
    const tag = createHmac('sha256', KEY).update('20150830').digest('base64')
    const expected = { status: 200, answer: { data: { hmac: `vault:v1:${tag}` } } }
    expect(await ask('transit/hmac/aws', { input: DAY }, token())).toEqual(expected)
    expect(await ask('transit/hmac/aws/sha2-256', { input: DAY, key_version: 1 }, token())).toEqual(expected)
  })

  it.each([
    ['no token', 'transit/hmac/aws', { input: DAY }, {}, 403],
    ['another token', 'transit/hmac/aws', { input: DAY }, { 'x-vault-token': 'hvs.x' }, 403],
    ['another key', 'transit/hmac/other', { input: DAY }, undefined, 400],
    ['another version', 'transit/hmac/aws', { input: DAY, key_version: 2 }, undefined, 400],
    ['a version that is text', 'transit/hmac/aws', { input: DAY, key_version: '1' }, undefined, 400],
    ['input that is not base64', 'transit/hmac/aws', { input: '!' }, undefined, 400],
    ['another algorithm', 'transit/hmac/aws/md5', { input: DAY }, undefined, 400],
    ['another mount', 'other/hmac/aws', { input: DAY }, undefined, 404],
    ['another namespace', 'transit/hmac/aws', { input: DAY }, { 'x-vault-namespace': 'x' }, 404],
    ['a GET', 'transit/hmac/aws', undefined, undefined, 404],
    ['a wrong role', 'auth/approle/login', { role_id: 'x', secret_id: 'y' }, {}, 400],
    ['no role', 'auth/approle/login', {}, {}, 400],
    ['a wrong Kubernetes role', 'auth/kubernetes/login', { role: 'x', jwt: 'y' }, {}, 400],
    ['a key that is not wrapped', 'transit/keys/new/import', { type: 'hmac', ciphertext: 'AAAA' }, undefined, 500],
    ['another type of key', 'transit/keys/new/import', { type: 'aes256-gcm96', ciphertext: 'AAAA' }, undefined, 400],
  ] as const)('refuses %s', async (_, path, body, headers, status) => {
    expect((await ask(path, body, headers ?? token())).status).toBe(status)
  })

  it('tokens end, are renewed up to their end, and hold in their namespace', async () => {
    let nowMs = 0
    const own = await startVault({ now: () => nowMs })
    own.namespaces.add('a').add('a/b').add('c')
    const headers = { 'x-vault-token': own.addToken({ ttlSeconds: 60, maxTtlSeconds: 90, namespace: 'a' }) }
    const look = async (namespace: string, path = 'lookup-self', method = 'GET') => {
      const all = { ...headers, 'x-vault-namespace': namespace }
      const { status, text } = await askUrl(`${own.address}/v1/auth/token/${path}`, { method, headers: all })
      return status === 200 ? text : status
    }
    expect(await look('a')).toContain('"ttl":60')
    expect([await look('a/b'), await look('c'), await look('')]).toEqual([expect.any(String), 403, 403])
    nowMs = 50_000
    expect(await look('a', 'renew-self', 'POST')).toContain('"lease_duration":40')
    nowMs = 90_000
    expect(await look('a')).toBe(403)
    await own.close()
  })

  it('a token that revokes itself is good no more', async () => {
    const headers = token()
    expect((await ask('auth/token/revoke-self', {}, headers)).status).toBe(204)
    expect((await ask('auth/token/revoke-self', {}, headers)).status).toBe(403)
  })
})

describe('startAwsKms', () => {
  it('asks for a signature, and for its own protocol', async () => {
    const kms = await startAwsKms()
    const headers = { 'x-amz-target': 'TrentService.Decrypt', 'content-type': 'application/x-amz-json-1.1' }
    const { status, text } = await askUrl(kms.endpoint, { method: 'POST', headers }, '{}')
    expect({ status, text }).toEqual({ status: 403, text: expect.stringContaining('MissingAuthenticationToken') })
    expect(kms.refusals).toEqual(['MissingAuthenticationTokenException'])
    await kms.close()
  })
})

describe('startGoogleKms', () => {
  let kms: TestGoogleKms
  beforeEach(async () => {
    kms = await startGoogleKms()
  })
  afterEach(() => kms.close())

  const now = Math.floor(Date.now() / 1000)
  const SCOPE = 'https://www.googleapis.com/auth/cloudkms'
  const exchange = (assertion: string) => {
    const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
    return askUrl(kms.tokenUri, { method: 'POST' }, new URLSearchParams(grant).toString())
  }

  it('changes an assertion for a token, and takes that', async () => {
    const { client_email: iss, private_key } = kms.addServiceAccount()
    const key = createPrivateKey(private_key)
    const claims = { iss, scope: SCOPE, aud: kms.tokenUri, iat: now, exp: now + 3600 }
    const { text } = await exchange(signJwt(key, claims))
    const { access_token } = JSON.parse(text) as { access_token: string }
    expect(kms.tokensIssued).toBe(1)
    const url = `http://${kms.host}:${kms.port}/v1/${kms.addKey()}:encrypt`
    const headers = { authorization: `Bearer ${access_token}` }
    const body = { plaintext: DAY, plaintextCrc32c: String(crc32c(Buffer.from(DAY, 'base64'))) }
    expect((await askUrl(url, { method: 'POST', headers }, JSON.stringify(body))).status).toBe(200)
    const other = { ...body, plaintextCrc32c: '1' }
    expect((await askUrl(url, { method: 'POST', headers }, JSON.stringify(other))).text).toContain('INVALID_ARGUMENT')
    expect((await askUrl(url, { method: 'POST' }, JSON.stringify(body))).status).toBe(401)
    for (const wrong of [
      { iss: 'x' },
      { scope: 'x' },
      { aud: 'x' },
      { exp: now - 1 },
      { exp: now + 7200 },
      { iat: now + 600 },
    ]) {
      expect((await exchange(signJwt(key, { ...claims, ...wrong }))).text).toBe('{"error":"invalid_grant"}')
    }
    const unsigned = signJwt(key, claims, { alg: 'none' })
    expect((await exchange(unsigned)).status).toBe(400)
    expect((await exchange(`${signJwt(key, claims).slice(0, -4)}AAAA`)).status).toBe(400)
  })
})

describe('crc32c', () => {
  it('is that of RFC 3720, appendix B.4', () => {
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
  })
})
