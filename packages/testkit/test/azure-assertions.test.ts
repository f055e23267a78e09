import { constants, createPrivateKey, KeyObject, sign, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from 'jose'
import { startEntra, type TestEntra } from '../src/azure.ts'
import { createTestPki, type IssuedCertificate } from '../src/pki.ts'
import { CLIENT, STORAGE, TENANT } from './azure-helpers.ts'
import { askUrl } from './helpers.ts'

const DAY_MS = 86_400_000
const START_MS = Math.floor(Date.now() / 1000) * 1000
const now = START_MS / 1000

let nowMs: number
let entra: TestEntra
let good: IssuedCertificate
let expired: IssuedCertificate
let early: IssuedCertificate
let other: IssuedCertificate
beforeAll(async () => {
  const pki = await createTestPki()
  const issue = (notBefore: number, notAfter: number) =>
    pki.issue({
      commonName: 'broker',
      usage: 'client',
      keyType: 'RSA-2048',
      notBefore: new Date(notBefore),
      notAfter: new Date(notAfter),
    })
  ;[good, expired, early, other] = await Promise.all([
    issue(START_MS - DAY_MS, START_MS + 30 * DAY_MS),
    issue(START_MS - DAY_MS, START_MS - 1000),
    issue(START_MS + 1000, START_MS + DAY_MS),
    issue(START_MS - DAY_MS, START_MS + DAY_MS),
  ])
  entra = await startEntra({ clock: () => nowMs })
  entra.refuseReplays = true
})
afterAll(() => entra.close())
beforeEach(() => {
  nowMs = START_MS
  entra.calls.length = 0
})

const thumbprint = ({ certPem }: IssuedCertificate, which: 'fingerprint' | 'fingerprint256' = 'fingerprint256') =>
  Buffer.from(new X509Certificate(certPem)[which].replaceAll(':', ''), 'hex').toString('base64url')

/** Redeems an assertion. @returns `granted`, or the code it is refused with. */
async function redeem(assertion: string): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: CLIENT,
    scope: STORAGE,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const url = `${entra.authorityHost}/${TENANT}/oauth2/v2.0/token`
  const { status, text } = await askUrl(url, { method: 'POST', headers, ca: entra.caPem }, form.toString())
  const { error_codes: codes = [] } = JSON.parse(text) as { error_codes?: number[] }
  return status === 200 ? 'granted' : `${status} AADSTS${codes[0]}`
}

describe('certificate assertions', () => {
  beforeEach(() =>
    entra.addApplication({
      tenantId: TENANT,
      clientId: CLIENT,
      certificates: [good.certPem, expired.certPem, early.certPem],
    }),
  )

  interface Change {
    header?: object
    claims?: object
    by?: IssuedCertificate
  }
  const make = async ({ header = {}, claims = {}, by = good }: Change = {}): Promise<string> => {
    const protectedHeader = { alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint(by), ...header }
    const payload = {
      aud: `${entra.authorityHost}/${TENANT}/oauth2/v2.0/token`,
      iss: CLIENT,
      sub: CLIENT,
      jti: crypto.randomUUID(),
      nbf: now,
      iat: now,
      exp: now + 600,
      ...claims,
    }
    // jose's own PS256 and RS256, from WebCrypto.
    const jwt = new SignJWT(payload).setProtectedHeader(protectedHeader)
    return jwt.sign(createPrivateKey(by.keyPem))
  }

  it.each(['RS256', 'PS256'] as const)('takes %s of jose', async (alg) => {
    expect(await redeem(await make({ header: { alg } }))).toBe('granted')
    expect(entra.calls).toMatchObject([{ method: 'certificate', alg }])
  })

  it('takes x5t, both thumbprints, and x5c beside them', async () => {
    const x5t = thumbprint(good, 'fingerprint')
    const x5c = [new X509Certificate(good.certPem).raw.toString('base64')]
    expect(await redeem(await make({ header: { x5t, 'x5t#S256': undefined } }))).toBe('granted')
    expect(await redeem(await make({ header: { x5t, x5c } }))).toBe('granted')
  })

  it('takes a jti once', async () => {
    const assertion = await make()
    expect(await redeem(assertion)).toBe('granted')
    expect(await redeem(assertion)).toBe('401 AADSTS50027')
  })

  it.each<[string, string, () => Change]>([
    ['another certificate', '401 AADSTS700027', () => ({ by: other })],
    ['a signature by another key', '401 AADSTS700027', () => ({ by: other, header: { 'x5t#S256': thumbprint(good) } })],
    [
      'thumbprints of two certificates',
      '401 AADSTS700027',
      () => ({ header: { x5t: thumbprint(other, 'fingerprint') } }),
    ],
    ['no thumbprint', '401 AADSTS700027', () => ({ header: { 'x5t#S256': undefined } })],
    ['an expired certificate', '401 AADSTS1000502', () => ({ by: expired })],
    ['a certificate of tomorrow', '401 AADSTS1000502', () => ({ by: early })],
    ['another algorithm', '401 AADSTS50027', () => ({ header: { alg: 'RS512' } })],
    ['another typ', '401 AADSTS50027', () => ({ header: { typ: 'at+jwt' } })],
    ['no typ', '401 AADSTS50027', () => ({ header: { typ: undefined } })],
    ['another tenant', '401 AADSTS700023', () => ({ claims: { aud: entra.authorityHost } })],
    [
      'a list of audiences',
      '401 AADSTS700023',
      () => ({ claims: { aud: [`${entra.authorityHost}/${TENANT}/oauth2/v2.0/token`] } }),
    ],
    ['another iss', '401 AADSTS700021', () => ({ claims: { iss: TENANT } })],
    ['another sub', '401 AADSTS700021', () => ({ claims: { sub: TENANT } })],
    ['no jti', '401 AADSTS50027', () => ({ claims: { jti: undefined } })],
    ['an empty jti', '401 AADSTS50027', () => ({ claims: { jti: '' } })],
    ['no nbf', '401 AADSTS700024', () => ({ claims: { nbf: undefined } })],
    ['no exp', '401 AADSTS700024', () => ({ claims: { exp: undefined } })],
    ['exp five minutes ago', '401 AADSTS700024', () => ({ claims: { nbf: now - 900, exp: now - 300 } })],
    ['exp just less than that', 'granted', () => ({ claims: { nbf: now - 900, exp: now - 299 } })],
    ['nbf in more than five minutes', '401 AADSTS700024', () => ({ claims: { nbf: now + 301 } })],
    ['nbf in five minutes', 'granted', () => ({ claims: { nbf: now + 300 } })],
    ['more than a day', '401 AADSTS700024', () => ({ claims: { exp: now + 86_401 } })],
    ['a day', 'granted', () => ({ claims: { exp: now + 86_400 } })],
  ])('%s: %s', async (_, outcome, change) => {
    expect(await redeem(await make(change()))).toBe(outcome)
  })

  it.each([32, 20, 222])('takes a PS256 salt of 32 octets, and no other (%d)', async (saltLength) => {
    const [header, claims] = (await make()).split('.') as [string, string]
    const key = { key: good.keyPem, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
    const signature = sign('sha256', Buffer.from(`${header}.${claims}`), key).toString('base64url')
    expect(await redeem(`${header}.${claims}.${signature}`)).toBe(saltLength === 32 ? 'granted' : '401 AADSTS700027')
  })

  it('what is no JWT', async () => {
    const [header, claims, signature] = (await make()).split('.') as [string, string, string]
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
    const crit = Buffer.from('{"alg":"PS256","typ":"JWT","crit":["b64"],"b64":false}').toString('base64url')
    for (const text of [
      'a.b.c',
      `${header}.${claims}.`,
      `${none}.${claims}.`,
      `${none}.${claims}.${signature}`,
      `${crit}.${claims}.${signature}`,
      `${header}.${claims}.${signature}.${signature}`,
      `${header}.${claims}.${signature}=`,
      `${header}.${claims}`,
    ]) {
      expect(await redeem(text)).toBe('401 AADSTS50027')
    }
    expect(await redeem(`${header}.${claims}.${signature.slice(0, -8)}AAAAAAAA`)).toBe('401 AADSTS700027')
  })

  it('wants the type of the assertion', async () => {
    const url = `${entra.authorityHost}/${TENANT}/oauth2/v2.0/token`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const form = `grant_type=client_credentials&client_id=${CLIENT}&scope=${STORAGE}&client_assertion=a.b.c`
    const send = async (body: string) => (await askUrl(url, { method: 'POST', headers, ca: entra.caPem }, body)).text
    expect(await send(form)).toContain('AADSTS900144')
    expect(await send(`${form}&client_assertion_type=saml2-bearer`)).toContain('AADSTS90023')
  })
})

describe('federated assertions', () => {
  const ISSUER = 'https://oidc.example.com/'
  const SUBJECT = 'system:serviceaccount:default:broker'
  const AUDIENCE = 'api://AzureADTokenExchange'
  let idp: GenerateKeyPairResult
  let stranger: GenerateKeyPairResult
  beforeAll(async () => {
    ;[idp, stranger] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')])
    const jwks = { keys: [{ ...(await exportJWK(idp.publicKey)), kid: 'one' }] }
    const federatedCredentials = [{ issuer: ISSUER, subject: SUBJECT, audience: AUDIENCE, jwks }]
    entra.addApplication({ tenantId: TENANT, clientId: CLIENT, federatedCredentials })
  })

  const make = (claims: object = {}, header: object = {}, key = idp) =>
    new SignJWT({ iss: ISSUER, sub: SUBJECT, aud: AUDIENCE, exp: now + 3600, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
      .sign(key.privateKey)

  it('is taken as often as it is valid', async () => {
    const assertion = await make()
    expect([await redeem(assertion), await redeem(assertion)]).toEqual(['granted', 'granted'])
    expect(await redeem(await make({}, { kid: undefined, typ: 'JWT' }))).toBe('granted')
    nowMs += 4_000_000
    expect(await redeem(assertion)).toBe('401 AADSTS700024')
  })

  it.each([
    ['another issuer', { iss: 'https://oidc.example.com' }, '401 AADSTS700211'],
    ['another subject', { sub: 'system:serviceaccount:default:other' }, '401 AADSTS700213'],
    ['a subject in another case', { sub: SUBJECT.toUpperCase() }, '401 AADSTS7002138'],
    ['another audience', { aud: 'api://azureadtokenexchange' }, '401 AADSTS700212'],
    ['two audiences', { aud: [AUDIENCE, 'x'] }, '401 AADSTS700212'],
    ['one that ended', { exp: now - 300 }, '401 AADSTS700024'],
    ['one that has not begun', { nbf: now + 301 }, '401 AADSTS700024'],
    ['one without end', { exp: undefined }, '401 AADSTS700024'],
  ])('%s', async (_, claims, outcome) => {
    expect(await redeem(await make(claims))).toBe(outcome)
  })

  it('wants the signature of its issuer', async () => {
    expect(await redeem(await make({}, {}, stranger))).toBe('401 AADSTS50013')
    expect(await redeem(await make({}, { kid: 'two' }))).toBe('401 AADSTS50013')
    const [, claims] = (await make()).split('.')
    for (const alg of ['PS256', 'RS512', 'none']) {
      // Signed with RS256, whatever the header says.
      const input = `${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.${claims}`
      const signature = sign('sha256', Buffer.from(input), KeyObject.from(idp.privateKey)).toString('base64url')
      expect(await redeem(`${input}.${signature}`)).toBe('401 AADSTS50013')
    }
  })
})
