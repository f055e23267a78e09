import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer, get, type ServerOptions } from 'node:https'
import { createServer as createTcpServer, type Socket } from 'node:net'
import tls from 'node:tls'
import { createTestPki, startConnectProxy, type TestConnectProxy, type TestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { loadPost, type PostErrorKind, type PostInit } from '../../src/transport.ts'
import { closeServers, listen, withEnv } from './servers.ts'

/** What the client asked for in the handshake. */
type Sni = tls.TLSSocket & { servername?: string }

class PostError extends Error {
  readonly kind: PostErrorKind
  constructor(kind: PostErrorKind, message: string) {
    super(message)
    this.kind = kind
  }
}

let pki: TestPki
beforeAll(async () => {
  pki = await createTestPki()
})
afterEach(closeServers)

const post = async (url: string, over: Partial<PostInit> = {}) => {
  const send = await loadPost()
  return send({
    origin: new URL(url),
    target: '/',
    headers: {},
    body: '',
    ca: pki.caPem,
    proxy: undefined,
    connectTimeoutMs: 10_000,
    signal: new AbortController().signal,
    errorOf: (kind, message) => new PostError(kind, message),
    ...over,
  })
}
const rejection = (ends: Promise<unknown>): Promise<PostError> =>
  ends.then(
    () => Promise.reject(new Error('it was not rejected')),
    (error: PostError) => error,
  )
const overTls = async (listener: RequestListener, options: ServerOptions = {}): Promise<string> => {
  const { certPem: cert, keyPem: key } = await pki.issue({ commonName: 'localhost', dns: ['localhost'] })
  return `https://localhost:${await listen(createHttpsServer({ cert, key, ...options }, listener))}`
}
const plain = async (listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(createHttpServer(listener))}`
/** A server that says this to whatever it hears first. */
const saying = async (text: string): Promise<string> => {
  const server = createTcpServer((socket) => socket.once('data', () => socket.write(text)))
  return `http://127.0.0.1:${await listen(server)}`
}

describe('post', () => {
  it('sends what it is given, over a connection of its own, and gives the whole answer', async () => {
    const seen: unknown[] = []
    const url = await overTls(async ({ method, url: target, headers, socket }, response) => {
      seen.push([method, target, headers, (socket as tls.TLSSocket).alpnProtocol, (socket as Sni).servername])
      response.writeHead(418, { date: 'x', connection: 'keep-alive' }).end('ÿ')
    })
    const answer = await post(`${url}/ignored`, { target: '/a?b=%20', headers: { 'x-a': 'b' }, body: 'ä' })
    expect(answer).toMatchObject({ status: 418, headers: { date: 'x' }, body: Buffer.from('ÿ') })
    const headers = { host: new URL(url).host, 'x-a': 'b', 'content-length': '2', connection: 'close' }
    expect(seen).toEqual([['POST', '/a?b=%20', headers, 'http/1.1', 'localhost']])
  })

  it('S12: follows no redirect', async () => {
    let requests = 0
    const url = await plain((_, response) => {
      requests++
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    expect(await post(url)).toMatchObject({ status: 307 })
    expect(requests).toBe(1)
  })

  it('U17: reads up to 64 KiB, whatever they are', async () => {
    let octets = 65_536
    const url = await plain((_, response) => response.end(Buffer.alloc(octets, 0x20)))
    expect((await post(url)).body).toHaveLength(65_536)
    for (octets of [65_537, 5_000_000]) {
      const error = await rejection(post(url))
      expect(error).toMatchObject({ kind: 'response', message: expect.stringMatching(/more than 65536 octets$/) })
    }
  })

  it.each([
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: secret\r\n\r\nsecret'],
    ['no HTTP', 'SSH-2.0-secret\r\n\r\n'],
    ['a header that can not be', 'HTTP/1.1 200 OK\r\nsecret\u0000: 1\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nsecret'],
  ])('has no use for %s, and does not show it', async (_, text) => {
    const error = await rejection(post(await saying(text)))
    expect(error.kind).toBe('response')
    expect(JSON.stringify({ ...error, message: error.message, cause: error.cause })).not.toContain('secret')
  })

  it.each(['', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegin'])(
    'U07: says that it broke after %j',
    async (text) => {
      const server = createTcpServer((socket) => socket.once('data', () => socket.end(text)))
      const error = await rejection(post(`http://127.0.0.1:${await listen(server)}`))
      expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(/ broke \(ECONNRESET\)$/) })
    },
  )

  it('U03: says that nobody is there', async () => {
    for (const scheme of ['http', 'https']) {
      const error = await rejection(post(`${scheme}://127.0.0.1:1`))
      expect(error).toMatchObject({ kind: 'unreachable', message: 'can not connect to 127.0.0.1:1 (ECONNREFUSED)' })
    }
  })

  it('U05: gives up on a handshake that does not end, and closes', async () => {
    const server = createTcpServer((socket) => socket.resume())
    const closed = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'))
    const url = `https://localhost:${await listen(server)}`
    const error = await rejection(post(url, { connectTimeoutMs: 100 }))
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(/^no connection .* 100 ms$/) })
    await closed
  })

  it('U05: the time to connect is over once there is a connection', async () => {
    const url = await overTls((_, response) => void setTimeout(() => response.end(), 1_100))
    expect(await post(url, { connectTimeoutMs: 1_000 })).toMatchObject({ status: 200 })
  })

  it('U09: ends with the signal, and closes', async () => {
    const silent = createTcpServer((socket) => socket.resume())
    const port = await listen(silent)
    for (const scheme of ['http', 'https']) {
      const controller = new AbortController()
      const heard = once(silent, 'connection').then(async ([socket]: Socket[]) => {
        await once(socket!, 'data')
        return socket!
      })
      const ends = rejection(post(`${scheme}://127.0.0.1:${port}`, { signal: controller.signal }))
      const closed = once(await heard, 'close')
      controller.abort(new Error('enough'))
      await Promise.all([ends, closed])
    }
  })
})

describe('post over TLS', () => {
  let requests: number
  beforeEach(() => {
    requests = 0
  })
  const count: RequestListener = (_, response) => {
    requests++
    response.end()
  }

  it('U10: trusts the authorities it is given, and nobody else', async () => {
    const url = await overTls(count)
    expect(await post(url)).toMatchObject({ status: 200 })
    for (const ca of [undefined, (await createTestPki()).caPem]) {
      const error = await rejection(post(url, { ca }))
      expect(error.kind).toBe('untrusted')
      expect(error.message).toMatch(/^no trusted TLS connection to localhost:\d+ \((UNABLE|SELF)\w+\)$/)
    }
    expect(requests).toBe(1)
  })

  it.each(['other.example.com', '127.0.0.1'])('U10: does not take a certificate for another name: %s', async (name) => {
    const { certPem: cert, keyPem: key } = await pki.issue({ commonName: 'localhost', dns: [name] })
    const error = await rejection(post(await overTls(count, { cert, key })))
    expect(error).toMatchObject({ kind: 'untrusted', message: expect.stringContaining('ERR_TLS_CERT_ALTNAME') })
    expect(requests).toBe(0)
  })

  it('S12: verifies whatever the environment says', async () => {
    const url = await overTls(count)
    await withEnv({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, async () => {
      expect((await rejection(post(url, { ca: undefined }))).kind).toBe('untrusted')
      expect(requests).toBe(0)
      const [response] = await once(get(url, { agent: false }), 'response')
      expect(response.resume().statusCode).toBe(200) // as a check of this test: Node by itself is fooled
    })
  })

  it('does not go below TLS 1.2, whatever Node is told', async () => {
    const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const url = await overTls(count, old)
    tls.DEFAULT_MIN_VERSION = 'TLSv1'
    tls.DEFAULT_CIPHERS = 'DEFAULT@SECLEVEL=0'
    try {
      expect((await rejection(post(url))).kind).toBe('untrusted')
      expect(requests).toBe(0)
      const [response] = await once(get(url, { agent: false, ca: pki.caPem }), 'response')
      expect(response.resume().statusCode).toBe(200) // as a check of this test: Node by itself does
    } finally {
      Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS })
    }
  })

  it('says that somebody without TLS is not to be trusted', async () => {
    const url = await plain(count)
    expect((await rejection(post(url.replace('http:', 'https:')))).kind).toBe('untrusted')
  })

  it('says that a handshake broke, which may be better the next time', async () => {
    const server = createTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const error = await rejection(post(`https://localhost:${await listen(server)}`))
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('(ECONNRESET)') })
  })
})

describe('post through a proxy', () => {
  let proxy: TestConnectProxy
  beforeAll(async () => {
    proxy = await startConnectProxy()
  })
  beforeEach(() => {
    proxy.asked.length = 0
    proxy.target = undefined
    proxy.refusal = undefined
  })
  afterAll(() => proxy.close())
  const through = (userInfo = '') => ({ proxy: new URL(proxy.url.replace('//', `//${userInfo}`)) })

  it('makes a tunnel, with TLS to the service within', async () => {
    const url = await overTls((request, response) => response.end(request.headers['proxy-authorization'] ?? 'none'))
    const { body } = await post(url, through('user:p%40ss:%C3%A9@'))
    expect(body.toString()).toBe('none')
    const authorization = `Basic ${Buffer.from('user:p@ss:é').toString('base64')}`
    expect(proxy.asked).toEqual([{ authority: new URL(url).host, authorization }])
    await post(url, through())
    expect(proxy.asked[1]).toEqual({ authority: new URL(url).host, authorization: undefined })
  })

  it('asks it for port 443 and for names that only it knows', async () => {
    const { certPem: cert, keyPem: key } = await pki.issue({ commonName: 'a', dns: ['sts.example.com'] })
    proxy.target = new URL(await overTls((_, response) => response.end(), { cert, key })).host
    expect(await post('https://sts.example.com', through())).toMatchObject({ status: 200 })
    expect(proxy.asked.map(({ authority }) => authority)).toEqual(['sts.example.com:443'])
  })

  it('U10: verifies the service within, not the proxy', async () => {
    const url = await overTls((_, response) => response.end())
    expect((await rejection(post(url, { ...through(), ca: undefined }))).kind).toBe('untrusted')
    proxy.target = new URL(await plain((_, response) => response.end())).host
    expect((await rejection(post(url, through()))).kind).toBe('untrusted')
  })

  it.each([407, 502, 204])('says what the proxy says, and not the password: %d', async (status) => {
    proxy.refusal = status
    const error = await rejection(post('https://sts.example.com', through('user:hunter2@')))
    const says = `the proxy ${new URL(proxy.url).host} answered ${status} to CONNECT sts.example.com:443`
    expect(error).toMatchObject({ kind: 'unreachable', message: says })
  })

  it('has no use for one that says more than it was asked', async () => {
    const url = await saying('HTTP/1.1 200 OK\r\n\r\nhello')
    const error = await rejection(post('https://sts.example.com', { proxy: new URL(url) }))
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('answered 200') })
  })

  it.each([
    ['that is not there', async () => 'http://127.0.0.1:1', 'ECONNREFUSED'],
    ['that is none', () => saying('SSH-2.0-secret\r\n'), 'HPE_INVALID_CONSTANT'],
  ])('says so of a proxy %s', async (_, url, code) => {
    const error = await rejection(post('https://sts.example.com', { proxy: new URL(await url()) }))
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(` does not answer .${code}`) })
  })

  it('U05: gives up on a proxy that is silent, and closes', async () => {
    const server = createTcpServer((socket) => socket.resume())
    const closed = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'))
    const silent = { proxy: new URL(`http://127.0.0.1:${await listen(server)}`), connectTimeoutMs: 100 }
    const error = await rejection(post('https://sts.example.com', silent))
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(/within 100 ms$/) })
    await closed
  })

  it('U05: gives up on a service that is silent behind it, and closes', async () => {
    const server = createTcpServer((socket) => socket.resume())
    const closed = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'))
    proxy.target = `127.0.0.1:${await listen(server)}`
    const error = await rejection(post('https://sts.example.com', { ...through(), connectTimeoutMs: 200 }))
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(/within 200 ms$/) })
    await closed
  })

  it('goes straight to a service without TLS', async () => {
    expect(await post(await plain((_, response) => response.end()), through())).toMatchObject({ status: 200 })
    expect(proxy.asked).toEqual([])
  })
})
