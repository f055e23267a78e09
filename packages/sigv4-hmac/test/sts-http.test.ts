import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer, get, type ServerOptions } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { createTestPki, type TestPki } from '@hardbound/testkit'
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { softwareHmac } from '../src/software-backend.ts'
import { createStsClient, type StsClientInit } from '../src/sts-client.ts'
import { assumed, ROLE, USER } from './sts-harness.ts'

let pki: TestPki
let requests: number
const open: { server: Server | TcpServer; sockets: Set<Socket> }[] = []
beforeAll(async () => {
  pki = await createTestPki()
})
afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    await new Promise((resolve) => {
      server.close(resolve)
      for (const socket of sockets) socket.destroy()
    })
  }
})

async function listen(server: Server | TcpServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  open.push({ server, sockets })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** STS over TLS that always gives the same session. */
async function tlsSts(o: ServerOptions & { name?: string } = {}): Promise<number> {
  const { name = 'localhost', ...options } = o
  const { certPem: cert, keyPem: key } = await pki.issue({ commonName: name, dns: [name] })
  requests = 0
  const server = createServer({ cert, key, ...options }, (_req, res) => {
    requests++
    res.end(assumed())
  })
  server.on('tlsClientError', () => {})
  return listen(server)
}

const ask = (port: number, o: Partial<StsClientInit> = {}) =>
  createStsClient({
    backend: softwareHmac({ secretAccessKey: USER.secretAccessKey }),
    accessKeyId: USER.accessKeyId,
    region: 'us-east-1',
    endpoint: `https://localhost:${port}`,
    ca: pki.caPem,
    ...o,
  }).assumeRole({ RoleArn: ROLE, RoleSessionName: 'workload' })

/** The environment that Node itself reads: Jest gives tests a copy. */
const realEnv = (get.constructor as FunctionConstructor)('return process.env')() as NodeJS.ProcessEnv

async function withEnv(values: Record<string, string>, work: () => Promise<void>): Promise<void> {
  Object.assign(realEnv, values)
  Object.assign(process.env, values)
  try {
    await work()
  } finally {
    for (const name of Object.keys(values)) {
      delete realEnv[name]
      delete process.env[name]
    }
  }
}

describe('postToSts over TLS', () => {
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
    await expect(ask(port, { ca: undefined })).rejects.toThrow('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
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
      const status = new Promise((resolve, reject) => {
        get(`https://localhost:${port}`, { agent: false }, (res) => resolve(res.resume().statusCode)).on(
          'error',
          reject,
        )
      })
      expect(await status).toBe(200) // as a check of this test: Node by itself is fooled
    })
  })

  it('C18 goes past the proxies of the environment', async () => {
    let proxied = 0
    const proxy = await listen(createHttpServer(() => proxied++).on('connect', () => proxied++))
    const port = await tlsSts()
    const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'ALL_PROXY', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_STS']
    const environment = Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${proxy}`]))
    await withEnv({ ...environment, NODE_USE_ENV_PROXY: '1' }, async () => {
      expect(await ask(port)).toMatchObject({ accountId: '444455556666' })
    })
    expect(proxied).toBe(0)
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
    const startMs = performance.now()
    await expect(ask(port, { maxAttempts: 1 })).rejects.toMatchObject({
      code: 'ERR_STS_UNREACHABLE',
      tryNextLink: true,
    })
    expect(performance.now() - startMs).toBeLessThan(9_000)
  })
})
