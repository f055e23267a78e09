import { constants, createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { createTestPki } from '@hardbound/testkit'
import { beforeAll, describe, expect, it, jest } from '@jest/globals'
import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import { clientCertificate } from '../src/azure-client-certificate.ts'
import type { AssertionKey, AzureCertificateCredential } from '../src/azure-credentials.ts'
import { type ClientAssertionInit, signClientAssertion } from '../src/client-assertion.ts'

const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'
const TOKEN_URL = 'https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/oauth2/v2.0/token'
const FROM = new Date('2026-08-01T00:00:00Z')
const TO = new Date('2026-09-01T00:00:00Z')
const NOW = Date.parse('2026-08-22T12:00:00.900Z')

let credential: AzureCertificateCredential
let publicKey: KeyObject
let keyPem: string
const init = (changes: Partial<ClientAssertionInit> = {}): ClientAssertionInit => ({
  ...credential,
  clientId: CLIENT,
  tokenUrl: TOKEN_URL,
  clock: () => NOW,
  ...changes,
})

beforeAll(async () => {
  const pki = await createTestPki()
  const issued = await pki.issue({
    commonName: 'broker',
    usage: 'client',
    keyType: 'RSA-2048',
    notBefore: FROM,
    notAfter: TO,
  })
  keyPem = issued.keyPem
  credential = await clientCertificate({ pem: issued.certPem + keyPem })
  publicKey = new X509Certificate(issued.certPem).publicKey
})

describe('signClientAssertion', () => {
  it.each([
    [undefined, 'PS256'],
    ['PS256', 'PS256'],
    ['RS256', 'RS256'],
  ] as const)('signs what Entra wants: %s', async (alg, expected) => {
    const assertion = await signClientAssertion(init(alg === undefined ? {} : { alg }))
    const { protectedHeader, payload } = await compactVerify(assertion, publicKey, { algorithms: [expected] })
    expect(protectedHeader).toEqual({
      alg: expected,
      typ: 'JWT',
      'x5t#S256': createHash('sha256').update(credential.certificate).digest('base64url'),
    })
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({
      aud: TOKEN_URL,
      iss: CLIENT,
      sub: CLIENT,
      jti: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      nbf: Math.floor(NOW / 1000),
      iat: Math.floor(NOW / 1000),
      exp: Math.floor(NOW / 1000) + 600,
    })
    expect(assertion).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  it('has a jti of its own each time', async () => {
    const [one, two] = await Promise.all([signClientAssertion(init()), signClientAssertion(init())])
    expect(decodeJwt(one).jti).not.toBe(decodeJwt(two).jti)
  })

  it('takes PEM, and the real clock', async () => {
    const pki = await createTestPki()
    const { certPem, keyPem: key } = await pki.issue({ commonName: 'x', usage: 'client', keyType: 'RSA-2048' })
    const { key: software } = await clientCertificate({ pem: certPem + key })
    const assertion = await signClientAssertion({ clientId: 'a', tokenUrl: 'b', certificate: certPem, key: software })
    expect(Math.abs(decodeJwt(assertion).iat! - Date.now() / 1000)).toBeLessThan(60)
    expect(decodeProtectedHeader(assertion).alg).toBe('PS256')
  })

  it('passes the signal on', async () => {
    const spy = jest.fn(credential.key.sign)
    const { signal } = new AbortController()
    await signClientAssertion(init({ key: { publicKey, sign: spy }, signal }))
    expect(spy.mock.calls[0]!.slice(1)).toEqual([{ scheme: 'rsassa-pss', hash: 'sha256' }, { signal }])
    await signClientAssertion(init({ key: { publicKey, sign: spy }, alg: 'RS256' }))
    expect(spy.mock.calls[1]!.slice(1)).toEqual([{ scheme: 'rsassa-pkcs1-v1_5', hash: 'sha256' }, {}])
  })

  it.each([
    ['not valid yet', FROM.getTime() - 1, false],
    ['just valid', FROM.getTime(), true],
    ['still valid', TO.getTime(), true],
    ['expired', TO.getTime() + 1, false],
  ])('a certificate that is %s', async (_what, now, valid) => {
    const sign = jest.fn(credential.key.sign)
    const signed = signClientAssertion(init({ clock: () => now, key: { publicKey, sign } }))
    if (valid) return void (await signed)
    const thumbprint = createHash('sha1').update(credential.certificate).digest('hex').toUpperCase()
    await expect(signed).rejects.toMatchObject({
      code: 'ERR_AZURE_CREDENTIAL_VALIDITY',
      message: expect.stringContaining(`${thumbprint} is valid from Aug  1 00:00:00 2026 GMT to Sep  1`),
    })
    expect(sign).not.toHaveBeenCalled()
  })

  it('refuses a key that Entra does not take, or that is another one', async () => {
    const { sign } = credential.key
    const keys = {
      ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
      ed25519: generateKeyPairSync('ed25519').publicKey,
      'rsa-pss': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey,
    }
    for (const [type, key] of Object.entries(keys)) {
      await expect(signClientAssertion(init({ key: { publicKey: key, sign } }))).rejects.toMatchObject({
        code: 'ERR_AZURE_CREDENTIAL_KEY',
        message: expect.stringContaining(`RSA keys only, and this one is ${type}`),
      })
    }
    const short = generateKeyPairSync('rsa', { modulusLength: 2040 }).publicKey
    await expect(signClientAssertion(init({ key: { publicKey: short, sign } }))).rejects.toThrow(/2040 bits/)
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
    await expect(signClientAssertion(init({ key: { publicKey: stranger, sign } }))).rejects.toThrow(/not that of/)
    await expect(signClientAssertion(init({ certificate: 'CANARY' }))).rejects.toMatchObject({
      code: 'ERR_AZURE_CREDENTIAL_FORMAT',
    })
  })

  it.each([
    ['PS256', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN }],
    ['PS256', { padding: constants.RSA_PKCS1_PADDING }],
    ['RS256', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
  ] as const)('refuses a signature that is not %s', async (alg, how) => {
    const key: AssertionKey = {
      publicKey,
      sign: (message) => Promise.resolve(sign('sha256', message, { key: keyPem, ...how })),
    }
    await expect(signClientAssertion(init({ key, alg }))).rejects.toMatchObject({
      code: 'ERR_AZURE_CREDENTIAL_SIGNATURE',
      message: `the key's ${alg} signature does not verify`,
    })
  })

  it('throws what the key throws', async () => {
    const cause = Object.assign(new Error('gone'), { code: 'ERR_PKCS11_DEVICE' })
    await expect(signClientAssertion(init({ key: { publicKey, sign: () => Promise.reject(cause) } }))).rejects.toBe(
      cause,
    )
  })
})
