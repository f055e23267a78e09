import { createServer as createHttpServer } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import { createTestPki, startConnectProxy, type TestConnectProxy, type TestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { fromHmac } from '../src/from-hmac.ts'
import { softwareHmac } from '../src/software-backend.ts'
import { createStsClient, type StsClientInit } from '../src/sts-client.ts'
import { StsError } from '../src/sts-error.ts'
import { assumed, ROLE, USER } from './sts-harness.ts'
import { closeServers, listen, withEnv } from './transport/servers.ts'

let pki: TestPki
let proxy: TestConnectProxy
let requests: number
beforeAll(async () => {
  ;[pki, proxy] = await Promise.all([createTestPki(), startConnectProxy()])
})
beforeEach(() => {
  proxy.asked.length = 0
  proxy.refusal = undefined
})
afterEach(closeServers)
afterAll(() => proxy.close())

/** STS over TLS that always gives the same session. */
async function tlsSts(o: ServerOptions & { name?: string } = {}): Promise<number> {
  const { name = 'localhost', ...options } = o
  const { certPem: cert, keyPem: key } = await pki.issue({ commonName: name, dns: [name] })
  requests = 0
  const server = createServer({ cert, key, ...options }, (_req, res) => {
    requests++
    res.end(assumed())
  })
  return listen(server)
}

const init = (port: number, o: Partial<StsClientInit> = {}): StsClientInit => ({
  backend: softwareHmac({ secretAccessKey: USER.secretAccessKey }),
  accessKeyId: USER.accessKeyId,
  region: 'us-east-1',
  endpoint: `https://localhost:${port}`,
  ca: pki.caPem,
  ...o,
})
const assumeRole = { RoleArn: ROLE, RoleSessionName: 'workload' }
const ask = (port: number, o: Partial<StsClientInit> = {}) => createStsClient(init(port, o)).assumeRole(assumeRole)

describe('STS over TLS', () => {
  it('trusts the certificates it is given, as text and as octets', async () => {
    const port = await tlsSts()
    expect(await ask(port)).toMatchObject({ accountId: '444455556666' })
    expect(await ask(port, { ca: Buffer.from(pki.caPem) })).toMatchObject({ accountId: '444455556666' })
  })

  it('trusts nobody else, does not try again, and ends a chain', async () => {
    const untrusted = { code: 'ERR_STS_UNTRUSTED', tryNextLink: false }
    const other = await createTestPki()
    let port = await tlsSts()
    await expect(ask(port, { ca: other.caPem })).rejects.toMatchObject(untrusted)
    await expect(ask(port, { ca: undefined })).rejects.toThrow(
      new StsError(
        'ERR_STS_UNTRUSTED',
        `no trusted TLS connection to localhost:${port} (UNABLE_TO_VERIFY_LEAF_SIGNATURE)`,
      ),
    )
    port = await tlsSts({ name: 'sts.example.com' })
    await expect(ask(port)).rejects.toMatchObject(untrusted)
    port = await tlsSts({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    await expect(ask(port)).rejects.toMatchObject(untrusted)
    expect(requests).toBe(0)
  })

  it('S12 verifies whatever the environment says', async () => {
    const port = await tlsSts()
    await withEnv({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, async () => {
      await expect(ask(port, { ca: undefined })).rejects.toMatchObject({ code: 'ERR_STS_UNTRUSTED' })
      expect(requests).toBe(0)
    })
  })

  it('says that somebody without TLS is not to be trusted', async () => {
    const port = await listen(createHttpServer((_req, res) => res.end()))
    await expect(ask(port)).rejects.toMatchObject({ code: 'ERR_STS_UNTRUSTED' })
  })

  it('tries again where the connection breaks in its handshake', async () => {
    let connections = 0
    const port = await listen(
      createTcpServer((socket) => {
        connections++
        socket.once('data', () => socket.resetAndDestroy())
      }),
    )
    await expect(ask(port)).rejects.toMatchObject({ code: 'ERR_STS_UNREACHABLE', tryNextLink: true })
    expect(connections).toBe(3)
  })

  it('gives up on a handshake that does not end, long before the deadline', async () => {
    const port = await listen(createTcpServer((socket) => socket.resume()))
    await expect(ask(port, { maxAttempts: 1 })).rejects.toMatchObject({
      code: 'ERR_STS_UNREACHABLE',
      message: `no connection to localhost:${port} within 3000 ms`,
      tryNextLink: true,
    })
  })
})

describe('STS through a proxy', () => {
  const url = (userInfo = '') => proxy.url.replace('//', `//${userInfo}`)

  it('gets there through the one that was given', async () => {
    const port = await tlsSts()
    const authorization = `Basic ${Buffer.from('user:p@ss').toString('base64')}`
    expect(await ask(port, { proxy: url('user:p%40ss@') })).toMatchObject({ accountId: '444455556666' })
    expect(proxy.asked).toEqual([{ authority: `localhost:${port}`, authorization }])
    const provider = fromHmac({ ...init(port, { proxy: new URL(url()) }), assumeRole })
    expect(await provider()).toMatchObject({ accountId: '444455556666' })
    expect(proxy.asked).toHaveLength(2)
  })

  it('U10 verifies STS within, not the proxy', async () => {
    const port = await tlsSts()
    const untrusted = { code: 'ERR_STS_UNTRUSTED' }
    await expect(ask(port, { proxy: url(), ca: undefined })).rejects.toMatchObject(untrusted)
    expect(requests).toBe(0)
  })

  it('says what the proxy says, and not the password', async () => {
    proxy.refusal = 407
    const says = `the proxy ${new URL(proxy.url).host} answered 407 to CONNECT localhost:1`
    await expect(ask(1, { proxy: url('user:hunter2@'), maxAttempts: 2 })).rejects.toThrow(
      new StsError('ERR_STS_UNREACHABLE', says),
    )
    expect(proxy.asked).toHaveLength(2)
  })

  it('C18 goes past the proxies of the environment', async () => {
    const port = await tlsSts()
    const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'ALL_PROXY', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_STS']
    const environment = Object.fromEntries(names.map((name) => [name, url()]))
    await withEnv({ ...environment, NODE_USE_ENV_PROXY: '1' }, async () => {
      expect(await ask(port)).toMatchObject({ accountId: '444455556666' })
    })
    expect(proxy.asked).toEqual([])
  })
})
