import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTestPki, type IssuedCertificate } from '@hardbound/testkit'
import {
  entraError,
  hangs,
  htmlPage,
  startEntra,
  startSilentAuthority,
  type TestEntra,
  throttled,
} from '@hardbound/testkit/azure'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import {
  type AzureClientCredential,
  type AzureGrant,
  type AzureIssuer,
  type AzureIssuerInit,
  clientCertificate,
  clientSecretFile,
  createAzureIssuer,
  federatedTokenFile,
} from '../src/index.ts'
import { CLIENT, SCOPE, TENANT } from './fake-entra.ts'

const SECRET = 'Aa1~client.secret_EXAMPLE'
const OLD_SECRET = 'Aa1~expired.secret_EXAMPLE'
const ISSUER = 'https://kubernetes.example.com'
const SUBJECT = 'system:serviceaccount:hardbound:broker'
const AUDIENCE = 'api://AzureADTokenExchange'
const GRANT: AzureGrant = { target: 'azure', tenantId: TENANT, clientId: CLIENT, scope: SCOPE }
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })

let folder: string
let entra: TestEntra
let identity: IssuedCertificate
let stranger: IssuedCertificate
let expired: IssuedCertificate
let now = Date.now()
const issuers: AzureIssuer[] = []

function issuer(
  credential: AzureClientCredential,
  init: Partial<AzureIssuerInit> = {},
  authorityHost = entra.authorityHost,
) {
  const applications = [{ tenantId: TENANT, clientId: CLIENT, authorityHost, credential }]
  const made = createAzureIssuer({ applications, ca: entra.caPem, clock: () => now, ...init })
  issuers.push(made)
  return made
}
const ask = (made: AzureIssuer, grant: Partial<AzureGrant> = {}) =>
  made.issue({ ...GRANT, ...grant }, { requestId: 'req-1', signal: new AbortController().signal })
const secret = (value = SECRET): AzureClientCredential => ({ kind: 'secret', secret: () => Promise.resolve(value) })
const pemOf = ({ certPem, keyPem }: IssuedCertificate) => certPem + keyPem

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'azure-issuer-'))
  const pki = await createTestPki()
  const day = 86_400_000
  const options = { commonName: 'broker', usage: 'client', keyType: 'RSA-2048' } as const
  identity = await pki.issue(options)
  stranger = await pki.issue(options)
  expired = await pki.issue({ ...options, notBefore: new Date(now - 2 * day), notAfter: new Date(now - day) })
  entra = await startEntra({ clock: () => now })
  entra.addApplication({
    tenantId: TENANT,
    clientId: CLIENT,
    secrets: [{ value: SECRET }, { value: OLD_SECRET, expiresAt: now - 1000 }],
    certificates: [identity.certPem, expired.certPem],
    federatedCredentials: [
      {
        issuer: ISSUER,
        subject: SUBJECT,
        audience: AUDIENCE,
        jwks: { keys: [keys.publicKey.export({ format: 'jwk' })] },
      },
    ],
  })
  await ask(issuer(secret())) // the SDK is loaded
})
afterEach(() => {
  for (const made of issuers.splice(0)) made.close()
})
beforeEach(() => {
  for (const list of [entra.calls, entra.refusals, entra.requests]) list.length = 0
  entra.fault = undefined
  entra.discoveryFault = undefined
  entra.claims = {}
  entra.answer = {}
  entra.tokenLifetimeSeconds = 3599
  entra.refuseReplays = false
})
afterAll(async () => {
  await entra?.close()
  await rm(folder, { recursive: true, force: true })
})

describe('createAzureIssuer at an Entra that verifies', () => {
  it('gets a token by a secret in a file, and by the next one after a rotation', async () => {
    const path = join(folder, 'secret')
    await writeFile(path, `${OLD_SECRET}\n`, { mode: 0o600 })
    const made = issuer(clientSecretFile(path))
    await expect(ask(made)).rejects.toMatchObject({ reason: 'upstream.credentials', facts: { aadsts: 7_000_222 } })
    await writeFile(path, `${SECRET}\n`)
    const { body, expiresAt } = await ask(made)
    expect(entra.tokenFor(String(body.access_token))).toMatchObject({ tid: TENANT, appid: CLIENT, exp: expiresAt })
    expect(entra.calls).toMatchObject([{ tenantId: TENANT, clientId: CLIENT, scope: SCOPE, method: 'secret' }])
    expect(entra.calls[0]!.claims).toBeUndefined() // U22: no cp1
  })

  it.each(['PS256', 'RS256'] as const)('gets one by a certificate in PEM: %s', async (alg) => {
    entra.refuseReplays = true
    const made = issuer(await clientCertificate({ pem: pemOf(identity), alg }))
    await ask(made)
    await ask(made, { scope: 'https://management.azure.com/.default' })
    expect(entra.calls).toMatchObject([
      { method: 'certificate', alg, scope: SCOPE },
      { method: 'certificate', alg },
    ])
  })

  it('gets one by a certificate in PKCS #12', async () => {
    await writeFile(join(folder, 'broker.pem'), pemOf(identity))
    const args = ['pkcs12', '-export', '-in', join(folder, 'broker.pem'), '-passout', 'pass:pass word']
    const { stdout: pfx } = await promisify(execFile)('openssl', args, { encoding: 'buffer' })
    await ask(issuer(await clientCertificate({ pfx, password: 'pass word' })))
    expect(entra.calls).toMatchObject([{ method: 'certificate', alg: 'PS256' }])
  })

  it('gets one by a federated token in a file', async () => {
    const sign = (subject: string) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'RS256' })
        .setIssuer(ISSUER)
        .setSubject(subject)
        .setAudience(AUDIENCE)
        .setIssuedAt(Math.floor(now / 1000))
        .setExpirationTime(Math.floor(now / 1000) + 600)
        .sign(keys.privateKey)
    const path = join(folder, 'token')
    await writeFile(path, await sign('system:serviceaccount:hardbound:other'))
    const made = issuer(federatedTokenFile(path))
    await expect(ask(made)).rejects.toMatchObject({ code: 'upstream_rejected', facts: { aadsts: 700_213 } })
    await writeFile(path, await sign(SUBJECT))
    await ask(made)
    expect(entra.calls).toMatchObject([{ method: 'federated' }])
  })

  it('U13 says what Entra refuses', async () => {
    const refusedAs = async (credential: AzureClientCredential, aadsts: number, grant: Partial<AzureGrant> = {}) => {
      await expect(ask(issuer(credential), grant)).rejects.toMatchObject({
        code: 'upstream_rejected',
        facts: { aadsts },
      })
    }
    await refusedAs(secret('wrong'), 7_000_215)
    await refusedAs(await clientCertificate({ pem: pemOf(stranger) }), 700_027)
    await refusedAs(secret(), 500_011, { scope: 'https://unknown.example/.default' })
    expect(entra.calls).toEqual([])
  })

  it('does not even ask with a certificate that has expired', async () => {
    const made = issuer(await clientCertificate({ pem: pemOf(expired) }))
    await expect(ask(made)).rejects.toMatchObject({
      code: 'signer_unavailable',
      reason: 'signer.azure_credential_validity',
    })
    expect(entra.requests).toEqual([])
  })

  it('refuses a key that is not the one of its certificate when it is made', async () => {
    const [one, two] = [
      await clientCertificate({ pem: pemOf(identity) }),
      await clientCertificate({ pem: pemOf(stranger) }),
    ]
    expect(() => issuer({ ...one, key: two.key })).toThrow(
      expect.objectContaining({ code: 'ERR_AZURE_CREDENTIAL_KEY' }),
    )
    const bad = { ...one, alg: 'ES256' } as unknown as AzureClientCredential
    expect(() => issuer(bad)).toThrow(TypeError)
  })

  it('a second attempt has an assertion of its own', async () => {
    entra.refuseReplays = true
    const made = issuer(await clientCertificate({ pem: pemOf(identity) }))
    const bodies: string[] = []
    entra.fault = (req, res) => {
      entra.fault = undefined
      req.on('data', (chunk) => bodies.push(String(chunk)))
      req.on('end', () => htmlPage(502)(req, res))
    }
    expect((await ask(made)).audit.attempts).toBe(2)
    expect(bodies).toHaveLength(1)
    expect(entra.calls).toHaveLength(1)
  })

  it('U24 asks for no discovery, poisoned or not', async () => {
    entra.discoveryFault = (_req, res) => res.end('{"token_endpoint":"https://attacker.example/token"}')
    await ask(issuer(secret()))
    expect(entra.requests).toEqual([{ method: 'POST', path: `/${TENANT}/oauth2/v2.0/token` }])
  })

  it('U21 refuses tokens of another tenant, application or resource', async () => {
    for (const claims of [{ tid: CLIENT }, { appid: TENANT }, { aud: 'https://vault.azure.net' }]) {
      entra.claims = claims
      await expect(ask(issuer(secret()))).rejects.toMatchObject({
        code: 'upstream_rejected',
        reason: 'upstream.mismatch',
      })
    }
    entra.claims = {}
    entra.answer = { token_type: 'pop' }
    await expect(ask(issuer(secret()))).rejects.toMatchObject({ reason: 'upstream.format' })
  })

  it('U11 U12 U15 keeps its temper', async () => {
    entra.fault = htmlPage(502)
    await expect(ask(issuer(secret()))).rejects.toMatchObject({ status: 503, reason: 'upstream.server_error' })
    entra.fault = throttled(120)
    await expect(ask(issuer(secret()))).rejects.toMatchObject({ status: 503, retryAfterSeconds: 120 })
    for (const where of ['headers', 'body'] as const) {
      entra.fault = hangs(where)
      await expect(ask(issuer(secret(), { attemptTimeoutMs: 100 }))).rejects.toMatchObject({ status: 504 })
    }
    entra.fault = entraError('AADSTS700027')
    await expect(ask(issuer(secret()))).rejects.toMatchObject({ status: 502, facts: { aadsts: 700_027 } })
    const silent = await startSilentAuthority()
    try {
      const made = issuer(secret(), { attemptTimeoutMs: 100 }, silent.authorityHost)
      await expect(ask(made)).rejects.toMatchObject({ status: 504, reason: 'upstream.connect' })
    } finally {
      await silent.close()
    }
  })

  it('short tokens end, and are had anew in time', async () => {
    entra.tokenLifetimeSeconds = 60
    const made = issuer(secret())
    const seen = new Set<unknown>()
    for (let second = 0; second < 300; second += 5) {
      const { body, expiresAt } = await ask(made)
      seen.add(body.access_token)
      expect(entra.tokenFor(String(body.access_token))).toBeDefined()
      expect(expiresAt * 1000 - now).toBeGreaterThanOrEqual(25_000)
      now += 5000
    }
    expect(seen.size).toBe(entra.calls.length)
    expect(seen.size).toBeGreaterThanOrEqual(9)
    expect(seen.size).toBeLessThanOrEqual(11)
  })
})
