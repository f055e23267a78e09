import { createHash, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose'
import { debugClaims, productionClaims } from '../src/claims.ts'
import { startIssuer, type TestIssuer } from '../src/issuer.ts'
import { askUrl } from './helpers.ts'

const AUDIENCE = 'https://broker.example.com'
const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
let nowMs = NOW_MS
let issuer: TestIssuer

beforeAll(async () => {
  issuer = await startIssuer({ now: () => nowMs })
})
afterAll(() => issuer.close())

const fetchJwks = async () => JSON.parse((await askUrl(issuer.jwksUrl, { ca: issuer.caPem })).text) as JSONWebKeySet
const verify = async (token: string) =>
  jwtVerify(token, createLocalJWKSet(await fetchJwks()), {
    algorithms: ['RS256'],
    issuer: 'https://confidentialcomputing.googleapis.com',
    audience: AUDIENCE,
    currentDate: new Date(nowMs),
  })

describe('startIssuer', () => {
  it('signs OIDC tokens that an independent library verifies with the published keys', async () => {
    const { payload, protectedHeader } = await verify(issuer.token({ audience: AUDIENCE, nonces: ['n'.repeat(43)] }))
    expect(protectedHeader).toEqual({ alg: 'RS256', kid: issuer.keys[0]!.kid, typ: 'JWT' })
    expect(protectedHeader.kid).toMatch(/^[0-9a-f]{40}$/)
    expect(payload.iat).toBe(NOW_MS / 1000)
    expect(payload.nbf).toBe(payload.iat)
    expect(payload.exp).toBe(NOW_MS / 1000 + 3600)
    expect(payload).toMatchObject(productionClaims())
    expect(payload.jti).toBeUndefined()
  })

  it('writes one nonce as a string, several as an array, none not at all', () => {
    const nonces = (list?: string[]) => decodeJwt(issuer.token({ audience: AUDIENCE, ...(list && { nonces: list }) }))
    expect(nonces(['one-nonce-']).eat_nonce).toBe('one-nonce-')
    expect(nonces(['one-nonce-', 'two-nonces']).eat_nonce).toEqual(['one-nonce-', 'two-nonces'])
    expect(nonces()).not.toHaveProperty('eat_nonce')
  })

  it('merges claims deeply, replaces arrays and deletes what is undefined', () => {
    const claims = { swversion: ['1'], dbgstat: undefined, submods: { gce: { project_id: 'other' } } }
    const payload = decodeJwt<ReturnType<typeof productionClaims>>(issuer.token({ audience: AUDIENCE, claims }))
    expect(payload.swversion).toEqual(['1'])
    expect(payload).not.toHaveProperty('dbgstat')
    expect(payload.submods.gce).toEqual({ ...productionClaims().submods.gce, project_id: 'other' })
  })

  it('signs PKI tokens with the leaf of a chain shaped like the real one', async () => {
    const token = issuer.token({ audience: AUDIENCE, tokenType: 'PKI' })
    const { x5c, kid } = decodeProtectedHeader(token)
    const [leaf, intermediate, root] = x5c!.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
    expect(x5c).toHaveLength(3)
    expect(leaf!.checkIssued(intermediate!) && leaf!.verify(intermediate!.publicKey)).toBe(true)
    expect(intermediate!.checkIssued(root!) && intermediate!.verify(root!.publicKey)).toBe(true)
    expect([leaf!.ca, intermediate!.ca, root!.ca]).toEqual([false, true, true])
    expect([leaf!.keyUsage, intermediate!.keyUsage]).toEqual([undefined, ['2.23.133.8.1']])
    expect(leaf!.raw.includes(Buffer.from('0603551d0f', 'hex'))).toBe(false) // no keyUsage extension
    expect(issuer.pkiRootSha256).toBe(createHash('sha256').update(root!.raw).digest('hex'))
    expect(new X509Certificate(issuer.pkiRootPem).raw).toEqual(root!.raw)
    expect(kid).toBe(await calculateJwkThumbprint(await exportJWK(leaf!.publicKey)))
    await expect(jwtVerify(token, leaf!.publicKey, { currentDate: new Date(nowMs) })).resolves.toBeDefined()
    expect(Date.parse(leaf!.validFrom)).toBeLessThan(nowMs)
    expect(Date.parse(leaf!.validTo)).toBeGreaterThan(nowMs)
  })

  it('signs any claims and any header, so that verifiers have something to refuse', async () => {
    const kid = issuer.keys[1]!.kid
    expect(decodeProtectedHeader(issuer.sign({}, { header: { alg: 'none', typ: undefined } }))).toEqual({
      alg: 'none',
      kid: issuer.keys[0]!.kid,
    })
    expect(decodeJwt(issuer.sign({ iss: 'https://example.com' }))).toEqual({ iss: 'https://example.com' })
    await expect(verify(issuer.sign({}, { kid }))).rejects.toMatchObject({ code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' })
    await expect(verify(issuer.sign({}, { kid: 'unknown' }))).rejects.toMatchObject({
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    })
  })

  it('follows its clock', () => {
    nowMs += 60_000
    expect(decodeJwt(issuer.token({ audience: AUDIENCE })).iat).toBe(NOW_MS / 1000 + 60)
    nowMs = NOW_MS
  })

  it('rotates: the old keys stay published only when asked', async () => {
    const before = issuer.token({ audience: AUDIENCE })
    issuer.rotate({ keepOld: true })
    await expect(verify(before)).resolves.toBeDefined()
    await expect(verify(issuer.token({ audience: AUDIENCE }))).resolves.toBeDefined()
    issuer.rotate()
    expect(issuer.keys).toHaveLength(1)
    await expect(verify(before)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' })
    await expect(verify(issuer.token({ audience: AUDIENCE }))).resolves.toBeDefined()
  })

  it('counts JWKS requests, and lets a fault replace the answer', async () => {
    const before = issuer.jwksRequests
    issuer.jwksFault = (_req, res) => void res.writeHead(503).end()
    expect((await askUrl(issuer.jwksUrl, { ca: issuer.caPem })).status).toBe(503)
    issuer.jwksFault = undefined
    expect((await askUrl(issuer.jwksUrl, { ca: issuer.caPem })).status).toBe(200)
    expect(issuer.jwksRequests).toBe(before + 2)
    expect((await askUrl(`${issuer.jwksUrl}/other`, { ca: issuer.caPem })).status).toBe(404)
  })

  it('never shares a key with another living issuer', async () => {
    const other = await startIssuer({ now: () => nowMs })
    const kids = other.keys.map(({ kid }) => kid)
    await expect(verify(other.token({ audience: AUDIENCE }))).rejects.toMatchObject({
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    })
    await other.close()
    const third = await startIssuer()
    expect(third.keys.map(({ kid }) => kid)).toEqual(kids) // made once, used again
    await third.close()
  })
})

describe('debugClaims', () => {
  it('differs from production in dbgstat and in having no support attributes', () => {
    expect(debugClaims().dbgstat).toBe('enabled')
    expect(debugClaims().submods.confidential_space).not.toHaveProperty('support_attributes')
    expect(debugClaims().swname).toBe(productionClaims().swname)
  })
})

describe('productionClaims', () => {
  it('has the TCB of a TDX machine only there, as an object', () => {
    expect(productionClaims()).not.toHaveProperty('tdx')
    expect(productionClaims({ tee: 'TDX' })).toMatchObject({
      hwmodel: 'GCP_INTEL_TDX',
      attester_tcb: ['INTEL'],
      tdx: { gcp_attester_tcb_status: 'UpToDate' },
    })
  })
})
