import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { decodeJwt } from 'jose'
import { startIssuer, type TestIssuer } from '../src/issuer.ts'
import { startLauncher, type TestLauncher } from '../src/launcher.ts'
import { ask } from './helpers.ts'

const AUDIENCE = 'https://broker.example.com'
const NONCE = 'n'.repeat(43)
let issuer: TestIssuer
let launcher: TestLauncher

beforeAll(async () => {
  issuer = await startIssuer()
  launcher = await startLauncher({ issuer })
})
afterAll(async () => {
  await launcher.close()
  await issuer.close()
})

const post = (body: unknown, path = '/v1/token', { socketPath } = launcher) =>
  ask({ socketPath, path, method: 'POST' }, typeof body === 'string' ? body : JSON.stringify(body))
const want = { audience: AUDIENCE, token_type: 'OIDC', nonces: [NONCE] }

describe('startLauncher', () => {
  it('answers with the bare token, chunked, as text/html', async () => {
    const { status, headers, text } = await post(want)
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('text/html')
    expect(headers['transfer-encoding']).toBe('chunked')
    expect(headers).not.toHaveProperty('content-length')
    expect(decodeJwt(text)).toMatchObject({ aud: AUDIENCE, eat_nonce: NONCE, iss: issuer.issuer })
    expect(launcher.requests.at(-1)).toEqual({ path: '/v1/token', body: want })
  })

  it('gives PKI tokens when asked', async () => {
    const { text } = await post({ ...want, token_type: 'PKI' })
    expect(JSON.parse(Buffer.from(text.split('.')[0]!, 'base64url').toString())).toHaveProperty('x5c')
  })

  it('gives the default token on GET, for Google STS and without a nonce', async () => {
    const { status, text } = await ask({ socketPath: launcher.socketPath, path: '/v1/token' })
    expect(status).toBe(200)
    expect(decodeJwt(text).aud).toBe('https://sts.googleapis.com')
    expect(decodeJwt(text)).not.toHaveProperty('eat_nonce')
  })

  it.each([
    ['an unknown field', { ...want, nonce: NONCE }],
    ['an empty audience', { ...want, audience: '' }],
    ['no audience', { token_type: 'OIDC', nonces: [NONCE] }],
    ['no token type', { audience: AUDIENCE, nonces: [NONCE] }],
    ['an unknown token type', { ...want, token_type: 'oidc' }],
    ['seven nonces', { ...want, nonces: Array<string>(7).fill(NONCE) }],
    ['a nonce of 9 octets', { ...want, nonces: ['n'.repeat(9)] }],
    ['a nonce of 75 octets', { ...want, nonces: ['n'.repeat(75)] }],
    ['nonces that are no array', { ...want, nonces: NONCE }],
    ['a nonce that is no string', { ...want, nonces: [1] }],
    ['an audience of 513 octets', { ...want, audience: 'a'.repeat(513) }],
    ['the audience of Google STS', { ...want, audience: 'https://sts.googleapis.com' }],
    ['a list', [want]],
    ['null', 'null'],
    ['no JSON', '{"audience":'],
    ['two JSON values', `${JSON.stringify(want)}{}`],
    ['a body of 65 KiB', ' '.repeat(65 * 1024)],
  ])('refuses %s with 400 and plain text', async (_, body) => {
    const { status, headers, text } = await post(body)
    expect(status).toBe(400)
    expect(headers['content-type']).toBe('text/html')
    expect(() => JSON.parse(text) as unknown).toThrow()
  })

  it.each([10, 74])('takes nonces of %i octets, up to six', async (length) => {
    expect((await post({ ...want, nonces: Array<string>(6).fill('n'.repeat(length)) })).status).toBe(200)
  })

  it('answers 400, not 405, to other methods, and 404 elsewhere', async () => {
    const status = async (method: string, path: string) =>
      (await ask({ socketPath: launcher.socketPath, path, method })).status
    expect(await status('PUT', '/v1/token')).toBe(400)
    expect(await status('DELETE', '/v1/intel/token')).toBe(400)
    expect(await status('GET', '/v1/evidence')).toBe(404)
  })

  it('merges its claims into tokens, and lets a fault replace the answer', async () => {
    launcher.claims = { dbgstat: 'enabled' }
    expect(decodeJwt((await post(want)).text)).toHaveProperty('dbgstat', 'enabled')
    launcher.claims = {}
    launcher.fault = (_req, res) => void res.writeHead(500).end('gone')
    expect(await post(want)).toMatchObject({ status: 500, text: 'gone' })
    launcher.fault = undefined
  })

  it('fails on the path of the attestation service that is not configured', async () => {
    const intel = await startLauncher({ issuer, ita: true })
    expect((await post(want, '/v1/intel/token')).status).toBe(500)
    expect((await post(want, '/v1/token', intel)).status).toBe(500)
    expect(decodeJwt((await post(want, '/v1/intel/token', intel)).text)).toMatchObject({
      iss: 'https://portal.trustauthority.intel.com',
      hwmodel: 'INTEL_TDX',
      eat_nonce: [NONCE],
    })
    await intel.close()
  })

  it('keeps its socket in a private folder, and leaves nothing behind', async () => {
    const own = await startLauncher({ issuer })
    const folder = dirname(own.socketPath)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    const idle = createConnection(own.socketPath)
    await new Promise((resolve) => idle.once('connect', resolve))
    const ended = new Promise((resolve) => idle.once('close', resolve))
    await own.close()
    await ended
    expect(existsSync(folder)).toBe(false)
  })

  it('listens where it is told to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'testkit-test-'))
    const own = await startLauncher({ issuer, socketPath: join(folder, 'launcher.sock') })
    expect((await post(want, '/v1/token', own)).status).toBe(200)
    await own.close()
    expect(existsSync(own.socketPath)).toBe(false)
    await rm(folder, { recursive: true })
  })
})
