import { X509Certificate } from 'node:crypto'
import { ClientAssertionCredential, ClientCertificateCredential, ClientSecretCredential } from '@azure/identity'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createLocalJWKSet,
  decodeJwt,
  exportJWK,
  type GenerateKeyPairResult,
  generateKeyPair,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from 'jose'
import {
  entraError,
  hangs,
  htmlPage,
  startEntra,
  startSilentAuthority,
  type TestEntra,
  throttled,
} from '../src/azure.ts'
import { createTestPki } from '../src/pki.ts'
import { CLIENT, post, SECRET, STORAGE, TENANT } from './azure-helpers.ts'
import { askUrl } from './helpers.ts'

const ISSUER = 'https://oidc.example.com/'

let entra: TestEntra
let pem: string
let certificate: string
let idp: GenerateKeyPairResult
beforeAll(async () => {
  const issued = await (await createTestPki()).issue({ commonName: 'broker', usage: 'client', keyType: 'RSA-2048' })
  certificate = issued.certPem
  pem = issued.keyPem + issued.certPem
  idp = await generateKeyPair('RS256')
  entra = await startEntra()
  entra.addApplication({
    tenantId: TENANT,
    clientId: CLIENT,
    secrets: [{ value: SECRET }],
    certificates: [certificate],
    federatedCredentials: [
      {
        issuer: ISSUER,
        subject: 'system:serviceaccount:default:broker',
        audience: 'api://AzureADTokenExchange',
        jwks: { keys: [{ ...(await exportJWK(idp.publicKey)), kid: 'one' }] },
      },
    ],
  })
})
afterAll(() => entra.close())
const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((it) => it.close()))
  Object.assign(entra, { fault: undefined, discoveryFault: undefined, claims: {}, answer: {}, refuseReplays: false })
  entra.tokenLifetimeSeconds = 3599
  entra.calls.length = 0
})

const options = () => ({
  authorityHost: entra.authorityHost,
  disableInstanceDiscovery: true,
  retryOptions: { maxRetries: 0 },
  tlsOptions: { ca: entra.caPem },
})
const withSecret = (secret = SECRET) => new ClientSecretCredential(TENANT, CLIENT, secret, options())
const withCertificate = () => new ClientCertificateCredential(TENANT, CLIENT, { certificate: pem }, options())
const get = async (path: string) => JSON.parse((await askUrl(entra.authorityHost + path, { ca: entra.caPem })).text)

describe('startEntra, asked by @azure/identity', () => {
  it('grants a token for a client secret, which the published keys verify', async () => {
    const { token, expiresOnTimestamp } = await withSecret().getToken(STORAGE)
    const configuration = await get(`/${TENANT}/v2.0/.well-known/openid-configuration`)
    expect(configuration.token_endpoint).toBe(`${entra.authorityHost}/${TENANT}/oauth2/v2.0/token`)
    const keys = await get(new URL(configuration.jwks_uri).pathname)
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys as JSONWebKeySet), {
      issuer: `https://sts.windows.net/${TENANT}/`,
      audience: 'https://storage.azure.com',
    })
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' })
    expect(payload).toMatchObject({ appid: CLIENT, appidacr: '1', tid: TENANT, ver: '1.0', idtyp: 'app' })
    expect(payload.oid).toBe(payload.sub)
    expect(entra.tokenFor(token)).toEqual(payload)
    expect(Math.abs(expiresOnTimestamp - payload.exp! * 1000)).toBeLessThan(5000)
    expect(entra.calls).toEqual([
      { tenantId: TENANT, clientId: CLIENT, scope: STORAGE, method: 'secret', at: expect.any(Number) },
    ])
    expect(entra.requests).toContainEqual({ method: 'POST', path: `/${TENANT}/oauth2/v2.0/token` })
  })

  it('grants one for a certificate: PS256 and x5t#S256', async () => {
    const { token } = await withCertificate().getToken(STORAGE)
    expect(entra.tokenFor(token)).toMatchObject({ appid: CLIENT, appidacr: '2' })
    expect(entra.calls).toMatchObject([{ method: 'certificate', alg: 'PS256' }])
  })

  it('lets MSAL send an assertion twice, unless told otherwise', async () => {
    const credential = withCertificate()
    await credential.getToken(STORAGE)
    await credential.getToken('https://management.azure.com/.default')
    entra.refuseReplays = true
    await expect(credential.getToken('https://management.azure.com//.default')).rejects.toThrow('AADSTS50027')
  })

  it('grants one for an assertion of a federated issuer', async () => {
    const assertion = () =>
      new SignJWT()
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .setIssuer(ISSUER)
        .setSubject('system:serviceaccount:default:broker')
        .setAudience(['api://AzureADTokenExchange'])
        .setExpirationTime('1h')
        .sign(idp.privateKey)
    const { token } = await new ClientAssertionCredential(TENANT, CLIENT, assertion, options()).getToken(STORAGE)
    expect(entra.tokenFor(token)).toMatchObject({ appidacr: '2' })
    expect(entra.calls).toMatchObject([{ method: 'federated', alg: 'RS256' }])
  })

  it('U13 refuses another secret, with its code in the JSON that MSAL reads', async () => {
    await expect(withSecret('other').getToken(STORAGE)).rejects.toThrow(/invalid_client.*7000215/)
    expect(entra.refusals.at(-1)).toMatchObject({ code: 'AADSTS7000215', error: 'invalid_client' })
    expect(JSON.stringify(entra.refusals)).not.toContain('other')
  })

  it('C14 records the capability that enableCae declares', async () => {
    await withSecret().getToken(STORAGE, { enableCae: true })
    expect(entra.calls[0]?.claims).toContain('cp1')
  })
})

describe('tokens and faults', () => {
  const ask = () => withSecret().getToken(STORAGE)

  it('U21 lays claims and answers over its own', async () => {
    entra.claims = { tid: CLIENT, aud: 'https://vault.azure.net', uti: undefined }
    const { token } = await ask()
    expect(decodeJwt(token)).toMatchObject({ tid: CLIENT, aud: 'https://vault.azure.net' })
    expect(decodeJwt(token)).not.toHaveProperty('uti')
    entra.claims = { nbf: Math.floor(Date.now() / 1000) + 60 }
    expect(entra.tokenFor((await ask()).token)).toBeUndefined()
    entra.answer = { token_type: 'pop' }
    expect((await post(entra)).answer).toMatchObject({ token_type: 'pop' })
  })

  it('has refresh_in where the token holds for more than two hours', async () => {
    expect((await post(entra)).answer).toEqual({
      token_type: 'Bearer',
      expires_in: 3599,
      ext_expires_in: 3599,
      access_token: expect.any(String),
    })
    entra.tokenLifetimeSeconds = 86_400
    expect((await post(entra)).answer).toMatchObject({ expires_in: 86_400, refresh_in: 43_200 })
  })

  it('U15 throttles', async () => {
    entra.fault = throttled(120)
    const { status, headers, answer } = await post(entra)
    expect([status, headers['retry-after'], answer.error_codes]).toEqual([429, '120', [90055]])
    await expect(ask()).rejects.toThrow()
  })

  it('U11 answers with a page, or with an error of choice', async () => {
    entra.fault = htmlPage(502)
    expect(await post(entra)).toMatchObject({ status: 502, text: expect.stringContaining('<html>') })
    entra.fault = entraError('AADSTS90033')
    expect(await post(entra)).toMatchObject({ status: 503, answer: { error: 'temporarily_unavailable' } })
  })

  it.each(['headers', 'body'] as const)('U12 hangs in the %s', async (where) => {
    entra.fault = hangs(where)
    await expect(post(entra, { signal: AbortSignal.timeout(200) })).rejects.toThrow(/abort/)
  })

  it('U12 hangs in TLS', async () => {
    const silent = await startSilentAuthority()
    opened.push(silent)
    await expect(askUrl(silent.authorityHost, { signal: AbortSignal.timeout(200) })).rejects.toThrow(/abort/)
  })

  it('U24 poisons discovery and nothing else', async () => {
    entra.discoveryFault = (_req, res) => void res.end('{"token_endpoint":"https://attacker.example"}')
    expect(await get(`/${TENANT}/v2.0/.well-known/openid-configuration`)).toEqual({
      token_endpoint: 'https://attacker.example',
    })
    expect((await post(entra)).status).toBe(200)
  })

  it('has instance metadata of a cloud of its own', async () => {
    const { metadata } = await get('/common/discovery/instance?api-version=1.1')
    expect(metadata[0].aliases).toEqual([new URL(entra.authorityHost).host])
  })

  it('tokens end with the clock that was passed in', async () => {
    let nowMs = Date.parse('2026-03-01T12:00:00Z')
    const other = await startEntra({ clock: () => nowMs, tokenLifetimeSeconds: 60 })
    opened.push(other)
    other.addApplication({
      tenantId: TENANT,
      clientId: CLIENT,
      secrets: [{ value: SECRET, expiresAt: nowMs + 90_000 }],
    })
    const { answer } = await post(other)
    const token = String(answer.access_token)
    expect(other.tokenFor(token)).toMatchObject({ exp: nowMs / 1000 + 60 })
    expect(entra.tokenFor(token)).toBeUndefined()
    expect(other.tokenFor(`${token.slice(0, -8)}AAAAAAAA`)).toBeUndefined()
    nowMs += 60_000
    expect(other.tokenFor(token)).toBeUndefined()
    nowMs += 30_000
    expect(await post(other)).toMatchObject({ status: 401, answer: { error_codes: [7000222] } })
    await other.close()
  })

  it('does not register what Entra would not', async () => {
    const { certPem } = await (await createTestPki()).issue({ commonName: 'ec' })
    expect(new X509Certificate(certPem).publicKey.asymmetricKeyType).toBe('ec')
    expect(() => entra.addApplication({ tenantId: TENANT, clientId: CLIENT, certificates: [certPem] })).toThrow(
      TypeError,
    )
    expect(() => entra.addApplication({ tenantId: 'common', clientId: CLIENT })).toThrow(TypeError)
  })
})
