import { once } from 'node:events'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createTcpServer, connect as netConnect } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { inspect } from 'node:util'
import type { TestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { connectEkm, type EkmConnectInit } from '../src/index.ts'
import { closeServer, listen, newPki, startServer, type TestServer } from './helpers.ts'

describe('connectEkm', () => {
  let pki: TestPki
  let server: TestServer
  let here: EkmConnectInit
  beforeAll(async () => {
    pki = await newPki()
    server = await startServer(pki, { answer: ({ path }) => (path === '/big' ? { body: 'x'.repeat(100_000) } : {}) })
    here = { url: server.url, address: `127.0.0.1:${server.port}`, ca: pki.caPem }
  })
  afterAll(() => server.close())

  it('sends the request over the socket whose keying material it took, to the host of the URL', async () => {
    const connection = await connectEkm({ ...here, url: `${server.url}/v2/credentials` })
    const { status, body } = await connection.request({ body: Buffer.from('{"a":1}') })
    expect([status, body.toString()]).toEqual([200, '{}'])
    expect(server.requests.at(-1)).toMatchObject({
      method: 'POST',
      path: '/v2/credentials',
      headers: { host: `broker.example.com:${server.port}` },
      body: '{"a":1}',
    })
    connection.close()
  })

  it('serves one request, and zeroes the keying material when closed', async () => {
    const connection = await connectEkm(here)
    await connection.request({})
    await expect(connection.request({})).rejects.toMatchObject({ code: 'ERR_EKM_CLOSED' })
    connection.close()
    connection.close()
    expect(connection.channel.ekm.every((octet) => octet === 0)).toBe(true)
  })

  describe('T16 trusts only whom it was told to', () => {
    it('refuses a server of another authority', async () => {
      await expect(connectEkm({ ...here, ca: (await newPki()).caPem })).rejects.toMatchObject({
        code: 'ERR_EKM_UNTRUSTED',
      })
    })
    it('refuses a certificate for another name', async () => {
      await expect(connectEkm({ ...here, serverName: 'other.example.com' })).rejects.toMatchObject({
        code: 'ERR_EKM_UNTRUSTED',
      })
    })
    it('takes an IP address that the certificate names', async () => {
      const connection = await connectEkm({ url: `https://127.0.0.1:${server.port}`, ca: pki.caPem })
      connection.close()
    })
    it('C05 refuses an IP address that the certificate does not name', async () => {
      await expect(connectEkm({ ...here, serverName: '127.0.0.2' })).rejects.toMatchObject({
        code: 'ERR_EKM_UNTRUSTED',
      })
    })
    it('takes a key that is pinned, in both notations, without an authority', async () => {
      const probe = await connectEkm(here)
      const pin = Buffer.from(probe.channel.serverSpkiSha256)
      probe.close()
      for (const spkiPin of [
        pin.toString('hex'),
        `sha256/${pin.toString('base64')}`,
        `sha256//${pin.toString('base64')}`,
      ]) {
        const connection = await connectEkm({
          url: here.url,
          address: here.address!,
          spkiPins: ['00'.repeat(32), spkiPin],
        })
        connection.close()
      }
    })
    it.each([true, false])('refuses a key that is not pinned, with an authority: %s', async (withCa) => {
      const trust = { spkiPins: ['00'.repeat(32)], ...(withCa ? { ca: pki.caPem } : {}) }
      await expect(connectEkm({ url: here.url, address: here.address!, ...trust })).rejects.toMatchObject({
        code: 'ERR_EKM_UNTRUSTED',
      })
    })
    it('T17 does not look at NODE_TLS_REJECT_UNAUTHORIZED', async () => {
      const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
      try {
        await expect(connectEkm({ ...here, ca: (await newPki()).caPem })).rejects.toMatchObject({
          code: 'ERR_EKM_UNTRUSTED',
        })
      } finally {
        delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
        warning.mockRestore()
      }
    })
  })

  it.each<[string, Partial<EkmConnectInit>]>([
    ['C05 http://', { url: 'http://broker.example.com' }],
    ['C05 a user in the URL', { url: 'https://user:secret@broker.example.com' }],
    ['C05 port 0', { url: 'https://broker.example.com:0' }],
    ['no URL at all', { url: 'broker' }],
    ['nobody to trust', { ca: '' }],
    ['a pin that is none', { spkiPins: ['sha1/AAAA'] }],
    ['C15 a certificate without its key', { cert: 'pem' }],
    ['C15 a certificate and a key that are none', { cert: 'pem', key: 'pem' }],
    ['an address without a port', { address: 'broker.example.com' }],
    ['an address with port 0', { address: 'broker.example.com:0' }],
    ['a proxy that is no http:// URL', { proxy: 'socks5://127.0.0.1:1' }],
  ])('takes for a mistake of the caller: %s', async (_name, wrong) => {
    await expect(connectEkm({ url: 'https://broker.example.com', ca: 'pem', ...wrong })).rejects.toThrow(TypeError)
  })

  it("C15 takes a key that is not the certificate's for a mistake of the caller", async () => {
    const [one, other] = [await pki.issue({ commonName: 'one' }), await pki.issue({ commonName: 'other' })]
    const init = { url: 'https://broker.example.com', ca: pki.caPem, cert: one.certPem, key: other.keyPem }
    await expect(connectEkm(init)).rejects.toThrow(/"cert" and "key" must be a certificate and its private key/)
  })

  it('E25 refuses a server that speaks only TLS 1.2', async () => {
    const { certPem, keyPem } = await pki.issue({ commonName: 'old', ip: ['127.0.0.1'] })
    const old = createTlsServer({ cert: certPem, key: keyPem, maxVersion: 'TLSv1.2' })
    old.on('tlsClientError', () => {})
    const port = await listen(old)
    await expect(connectEkm({ url: `https://127.0.0.1:${port}`, ca: pki.caPem })).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_EKM_(PROTOCOL_VERSION|TLS)/),
    })
    await closeServer(old)
  })

  it('T11 refuses a server that speaks only HTTP/2', async () => {
    const { certPem, keyPem } = await pki.issue({ commonName: 'h2', ip: ['127.0.0.1'] })
    const h2 = createTlsServer({ cert: certPem, key: keyPem, ALPNProtocols: ['h2'] })
    h2.on('tlsClientError', () => {})
    const port = await listen(h2)
    await expect(connectEkm({ url: `https://127.0.0.1:${port}`, ca: pki.caPem })).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_EKM_(ALPN|TLS)/),
    })
    await closeServer(h2)
  })

  it('says that nobody is there', async () => {
    const unused = createTcpServer()
    const port = await listen(unused)
    await closeServer(unused)
    await expect(connectEkm({ ...here, address: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'ERR_EKM_UNREACHABLE',
    })
  })

  it('U28 C07 gives up on a peer that never speaks TLS, at the deadline and when told to', async () => {
    const silent = createTcpServer(() => {})
    const address = `127.0.0.1:${await listen(silent)}`
    await expect(connectEkm({ ...here, address, timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
    const controller = new AbortController()
    silent.once('connection', () => controller.abort())
    await expect(connectEkm({ ...here, address, signal: controller.signal })).rejects.toMatchObject({
      code: 'ERR_EKM_ABORTED',
    })
    await expect(connectEkm({ ...here, address, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_EKM_ABORTED',
    })
    silent.close()
  })

  it('T01 says that the server wants a certificate', async () => {
    const strict = await startServer(pki, { options: { ca: pki.caPem, requestCert: true, rejectUnauthorized: true } })
    const connection = await connectEkm({ url: strict.url, address: `127.0.0.1:${strict.port}`, ca: pki.caPem })
    await once(strict.server, 'tlsClientError')
    await new Promise((resolve) => setImmediate(resolve)) // as while the launcher works: the alert arrives before the request
    await expect(connection.request({})).rejects.toMatchObject({ code: 'ERR_EKM_TLS' })
    expect(strict.requests).toEqual([])
    connection.close()
    await strict.close()
  })

  describe('requests', () => {
    it('bounds the answer', async () => {
      const connection = await connectEkm(here)
      await expect(connection.request({ path: '/big' })).rejects.toMatchObject({ code: 'ERR_EKM_RESPONSE' })
      connection.close()
    })
    it('C07 gives up at the deadline and when told to', async () => {
      const mute = await startServer(pki, { answer: () => new Promise<never>(() => {}) })
      const there = { url: mute.url, address: `127.0.0.1:${mute.port}`, ca: pki.caPem }
      const late = await connectEkm(there)
      await expect(late.request({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
      const told = await connectEkm(there)
      await expect(told.request({ signal: AbortSignal.timeout(60_000), timeoutMs: 50 })).rejects.toMatchObject({
        code: 'ERR_EKM_TIMEOUT',
      })
      late.close()
      told.close()
      await mute.close()
    })
    it('L05 keeps what it received out of the error when that is no HTTP', async () => {
      const odd = await startServer(pki)
      odd.server.removeAllListeners('request')
      odd.server.on('request', (request) => request.socket.end('HTTP/1.1 200 OK\r\ncanary-in-the-answer\r\n\r\n'))
      const connection = await connectEkm({ url: odd.url, address: `127.0.0.1:${odd.port}`, ca: pki.caPem })
      const error = await connection.request({}).catch((it: unknown) => it)
      expect(error).toMatchObject({ code: 'ERR_EKM_RESPONSE' })
      const printed = inspect(error, { depth: 9, showHidden: true })
      expect(printed).not.toContain('canary')
      expect(printed).not.toContain(Buffer.from('canary').toString('hex').match(/../g)!.join(' '))
      connection.close()
      await odd.close()
    })
    it('refuses a server that switches protocols', async () => {
      const odd = await startServer(pki)
      odd.server.removeAllListeners('request')
      odd.server.on('request', (request) =>
        request.socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
      )
      const connection = await connectEkm({ url: odd.url, address: `127.0.0.1:${odd.port}`, ca: pki.caPem })
      await expect(connection.request({})).rejects.toMatchObject({ code: 'ERR_EKM_RESPONSE' })
      connection.close()
      await odd.close()
    }, 5_000)
    it('says that the connection ended', async () => {
      const rude = await startServer(pki)
      rude.server.removeAllListeners('request').on('request', (request) => request.socket.destroy())
      const connection = await connectEkm({ url: rude.url, address: `127.0.0.1:${rude.port}`, ca: pki.caPem })
      await expect(connection.request({})).rejects.toMatchObject({ code: 'ERR_EKM_CLOSED' })
      connection.close()
      await rude.close()
    })
  })

  describe('proxy', () => {
    let proxy: Server
    let port: number
    const asked: { authority: string; authorization: string | undefined }[] = []
    beforeAll(async () => {
      proxy = createHttpServer((_request, response) => response.writeHead(400).end())
      proxy.on('connect', (request, socket) => {
        asked.push({ authority: request.url ?? '', authorization: request.headers['proxy-authorization'] })
        if (request.headers['proxy-authorization'] === 'Basic Ym9iOm5v') {
          return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
        }
        const upstream = netConnect(server.port, '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
          upstream.pipe(socket).pipe(upstream)
        })
        socket.on('error', () => {}).on('close', () => upstream.destroy())
        upstream.on('error', () => {}).on('close', () => socket.destroy())
      })
      port = await listen(proxy)
    })
    afterAll(() => closeServer(proxy))

    it('connects through a proxy it is told about, TLS end to end', async () => {
      const connection = await connectEkm({ ...here, proxy: `http://alice:s%20p@127.0.0.1:${port}` })
      expect((await connection.request({})).status).toBe(200)
      expect(asked.at(-1)).toEqual({
        authority: `127.0.0.1:${server.port}`,
        authorization: `Basic ${Buffer.from('alice:s p').toString('base64')}`,
      })
      expect(Buffer.from(connection.channel.ekm).equals(Buffer.from(server.channels.at(-1)![0]!.ekm))).toBe(true)
      connection.close()
    })
    it('keeps the tunnel when what bounded the connecting fires later', async () => {
      const controller = new AbortController()
      const connection = await connectEkm({ ...here, proxy: `http://127.0.0.1:${port}`, signal: controller.signal })
      controller.abort()
      expect((await connection.request({})).status).toBe(200)
      connection.close()
    })
    it('says that the proxy refused', async () => {
      await expect(connectEkm({ ...here, proxy: `http://bob:no@127.0.0.1:${port}` })).rejects.toMatchObject({
        code: 'ERR_EKM_PROXY',
      })
    })
    it('refuses a proxy that speaks before the handshake', async () => {
      const eager = createTcpServer((socket) => {
        socket.on('error', () => {}).once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\nhello'))
      })
      const proxied = { ...here, proxy: `http://127.0.0.1:${await listen(eager)}` }
      await expect(connectEkm(proxied)).rejects.toMatchObject({ code: 'ERR_EKM_PROXY' })
      eager.close()
    })
    it('C18 ignores proxies of the environment', async () => {
      const before = asked.length
      process.env.HTTPS_PROXY = process.env.ALL_PROXY = `http://127.0.0.1:${port}`
      const connection = await connectEkm(here)
      delete process.env.HTTPS_PROXY
      delete process.env.ALL_PROXY
      connection.close()
      expect(asked.length).toBe(before)
    })
  })
})
