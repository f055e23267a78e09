import { once } from 'node:events'
import { Agent, get as httpGet, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { createCredentialServer } from '../src/index.ts'
import { assertServerInit } from '../src/internal/assert.ts'
import type { AzureInit, CredentialServerInit } from '../src/types.ts'
import {
  APP_SERVICE,
  get,
  HEADER,
  IMDS,
  identityHeader,
  metadata,
  RESOURCE,
  startServer,
  testCredential,
} from './helpers.ts'

const azure = { credential: testCredential() }

describe('createCredentialServer', () => {
  it.each([
    '0.0.0.0',
    '::',
    '192.168.1.1',
    '10.0.0.1',
    'localhost',
    'example.com',
    '::ffff:127.0.0.1',
    '128.0.0.1',
    '127.1',
    '',
  ])('I21 does not listen on %j', (host) =>
    expect(() => createCredentialServer({ azure, host })).toThrow('"host" must be a loopback address'),
  )

  it.each(['127.0.0.1', '127.0.0.53', '::1'])('listens on %s', async (host) => {
    const target = await startServer({ host })
    expect((await target.get(IMDS, metadata)).status).toBe(200)
    const endpoint = new URL(target.server.environment().IDENTITY_ENDPOINT!)
    expect([endpoint.hostname, endpoint.port]).toEqual([host === '::1' ? '[::1]' : host, String(target.port)])
    await target.server.close()
  })

  it('I21 takes no other port when its own is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const server = createCredentialServer({ azure, port })
    await expect(server.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_ADDRESS_IN_USE' })
    expect(() => server.environment()).toThrow(expect.objectContaining({ code: 'ERR_SERVER_STATE' }))
    await server.close()
    other.close()
  })

  it('I21 says so where the address is not there', async () => {
    const first = await startServer({ host: '127.0.0.1' })
    const second = createCredentialServer({ azure, port: first.port })
    await expect(second.listen()).rejects.toMatchObject({ name: 'CredentialServerError' })
    await first.server.close()
  })

  it('listens once, and not after it was closed', async () => {
    const { server } = await startServer()
    await expect(server.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_STATE' })
    await server.close()
    await server.close()
    await expect(server.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_STATE' })
    expect(() => server.environment()).toThrow('does not listen')
    const never = createCredentialServer({ azure })
    await never.close()
    await expect(never.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_STATE' })
  })

  it('has an environment for SDKs, with 32 random octets', async () => {
    const first = createCredentialServer({ azure })
    const second = createCredentialServer({ azure: { ...azure, imds: true } })
    await Promise.all([first.listen(), second.listen()])
    const [a, b] = [first.environment(), second.environment()]
    expect(a).toEqual({
      IDENTITY_ENDPOINT: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/msi\/token$/),
      IDENTITY_HEADER: expect.stringMatching(/^[\w-]{43}$/),
      MSI_ENDPOINT: a.IDENTITY_ENDPOINT,
      MSI_SECRET: a.IDENTITY_HEADER,
    })
    expect(b.AZURE_POD_IDENTITY_AUTHORITY_HOST).toBe(new URL(b.IDENTITY_ENDPOINT!).origin)
    expect(b.IDENTITY_HEADER).not.toBe(a.IDENTITY_HEADER)
    await Promise.all([first.close(), second.close()])
  })

  it('I15 I16 serves the last good token while upstream is down, then 503, then the next', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const target = await startServer(
      { clock: () => now },
      testCredential(3_600_000, () => now),
    )
    const { json: first } = await target.get(IMDS, metadata)
    target.credential.failWith = Object.assign(new Error('canary'), { name: 'CredentialUnavailableError' })
    now += 3_500_000
    expect((await target.get(IMDS, metadata)).json).toMatchObject({
      access_token: first.access_token,
      expires_in: '100',
    })
    now += 100_000
    const down = await target.get(IMDS, metadata)
    expect(down).toMatchObject({ status: 503, headers: { 'retry-after': '30', 'cache-control': 'no-store' } })
    expect(down.json).toEqual({
      error: 'temporarily_unavailable',
      error_description: 'the credential has no token now',
    })
    expect(await target.get(APP_SERVICE, identityHeader)).toMatchObject({
      status: 503,
      json: { statusCode: 503, message: 'the credential has no token now' },
    })
    target.credential.failWith = undefined
    now += 30_000
    expect((await target.get(IMDS, metadata)).status).toBe(200)
    expect(target.credential.scopes).toHaveLength(4)
    expect(target.events.map((it) => [it.type, it.status])).toEqual([
      ['refresh-failed', 503],
      ['refresh-failed', 503],
      ['refused', 503],
      ['refused', 503],
    ])
    await target.server.close()
  })

  it('I17 I18 answers 500 at once with one token, from one call', async () => {
    const target = await startServer()
    const answers = await Promise.all(Array.from({ length: 500 }, () => target.get(APP_SERVICE, identityHeader)))
    expect(new Set(answers.map((it) => it.text)).size).toBe(1)
    expect(target.credential.scopes).toHaveLength(1)
    await target.server.close()
  })

  it('goes on for the others when the first client hangs up', async () => {
    let arrive = (): void => {}
    const arrived = new Promise<void>((resolve) => (arrive = resolve))
    const credential = testCredential()
    const { getToken } = credential
    credential.getToken = async (scope) => {
      await arrived
      return getToken.call(credential, scope)
    }
    const target = await startServer({}, credential)
    const first = request({ host: '127.0.0.1', port: target.port, path: IMDS, headers: metadata, agent: false }).end()
    first.on('error', () => {})
    await once(first, 'socket')
    const second = target.get(IMDS, metadata)
    await new Promise((resolve) => setImmediate(resolve))
    first.destroy()
    arrive()
    expect((await second).status).toBe(200)
    expect(credential.scopes).toHaveLength(1)
    await target.server.close()
  })

  it('lets a request under way end when it closes, and takes no other', async () => {
    let arrive = (): void => {}
    let asked = (): void => {}
    const arrived = new Promise<void>((resolve) => (arrive = resolve))
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const credential = testCredential()
    const { getToken } = credential
    credential.getToken = async (scope) => {
      asked()
      await arrived
      return getToken.call(credential, scope)
    }
    const target = await startServer({}, credential)
    const agent = new Agent({ keepAlive: true })
    const underWay = new Promise<IncomingMessage>((resolve) => {
      httpGet({ host: '127.0.0.1', port: target.port, path: IMDS, headers: metadata, agent }, resolve)
    })
    await isAsked
    const started = Date.now()
    const closing = target.server.close()
    await expect(target.get(IMDS, metadata)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    arrive()
    expect((await underWay).statusCode).toBe(200)
    await closing
    expect(Date.now() - started).toBeLessThan(4000) // no waiting for an idle connection
    agent.destroy()
  })

  it('does not listen after all when it is closed meanwhile', async () => {
    const server = createCredentialServer({ azure })
    const listening = server.listen()
    await server.close()
    await expect(listening).rejects.toMatchObject({ code: 'ERR_SERVER_STATE' })
  })

  it('hangs up on the silent at once when it closes', async () => {
    const target = await startServer()
    const silent = connect(target.port, '127.0.0.1')
    await once(silent, 'connect')
    await target.get('/') // by now the server has both
    const started = Date.now()
    await target.server.close()
    expect(Date.now() - started).toBeLessThan(4000)
    silent.destroy()
  })

  it('cuts what hangs when it closes', async () => {
    let asked = (): void => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const credential = testCredential()
    credential.getToken = () => {
      asked()
      return new Promise(() => {})
    }
    const target = await startServer({ limits: { credentialTimeoutMs: 120_000 } }, credential)
    const cut = expect(target.get(IMDS, metadata)).rejects.toMatchObject({ code: 'ECONNRESET' })
    await isAsked
    await target.server.close()
    await cut
  }, 15_000)

  it('is not brought down by a log that fails', async () => {
    const server = createCredentialServer({
      azure,
      onEvent: () => {
        throw new Error('disk full')
      },
    })
    const { host, port } = await server.listen()
    expect((await get(host, port, '/')).status).toBe(404)
    await server.close()
  })

  it.each<[string, Partial<CredentialServerInit>]>([
    ['azure.credential', { azure: {} as AzureInit }],
    ['azure.allowedResources', { azure: { ...azure, allowedResources: [] } }],
    ['azure.allowedResources', { azure: { ...azure, allowedResources: [`${RESOURCE}.default`] } }],
    ['azure.identityHeader', { azure: { ...azure, identityHeader: 'short' } }],
    ['azure.identityHeader', { azure: { ...azure, identityHeader: `${HEADER}\r\n` } }],
    ['azure.clientId', { azure: { ...azure, clientId: 'me' } }],
    ['port', { port: 65_536 }],
    ['port', { port: 1.5 }],
    ['allowedUids', { allowedUids: [-1] }],
    ['allowedUids', { allowedUids: [1000], sameUserOnly: false }],
    ['limits.maxConnections', { limits: { maxConnections: 1 } }],
    ['limits.clientTimeoutMs', { limits: { clientTimeoutMs: 0 } }],
    ['limits.credentialTimeoutMs', { limits: { credentialTimeoutMs: Number.NaN } }],
    ['azure.imds', { azure: { ...azure, imds: true }, sameUserOnly: false }],
  ])('refuses a bad "%s"', (name, init) => {
    expect(() => createCredentialServer({ azure, ...init })).toThrow(`"${name}"`)
  })

  it('I20 looks at users on Linux unless told otherwise, and elsewhere says that it can not', () => {
    const imds = { azure: { ...azure, imds: true } }
    expect(() => assertServerInit({ azure, sameUserOnly: true }, 'darwin')).toThrow('"sameUserOnly" needs Linux')
    expect(() => assertServerInit(imds, 'darwin')).toThrow('dangerouslyAllowAnyUser')
    expect(() => assertServerInit({ ...imds, dangerouslyAllowAnyUser: true }, 'win32')).not.toThrow()
    expect(() => assertServerInit(imds, 'linux')).not.toThrow()
  })
})
