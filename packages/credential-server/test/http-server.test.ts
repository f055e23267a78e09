import { EventEmitter, once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { createHttpServer, type HttpServerInit } from '../src/internal/http-server.ts'
import { Refusal } from '../src/internal/refusal.ts'
import { get, IMDS, metadata, raw, startServer, type TestAnswer, type TestServer, testCredential } from './helpers.ts'

let target: TestServer
let server: Server | undefined
afterEach(async () => {
  server?.close()
  server?.closeAllConnections()
  server = undefined
  await target?.server.close()
})

/** A server that answers with the URL. */
async function listen(init: Partial<HttpServerInit> = {}): Promise<number> {
  server = createHttpServer({
    maxConnections: 8,
    clientTimeoutMs: 5000,
    answerTimeoutMs: 20_000,
    admit: async () => undefined,
    userOf: () => undefined,
    handle: async (request, response) => void response.setHeader('connection', 'close').end(request.url),
    onRefused: () => {},
    onTurnedAway: () => {},
    ...init,
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((it) => (resolve = it))
  return { promise, resolve }
}

async function open(count: number): Promise<Socket[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(target.port, '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      return socket
    }),
  )
}

describe('createHttpServer', () => {
  it('I13 hangs up on whoever is silent, slow, or idle', async () => {
    target = await startServer({ limits: { clientTimeoutMs: 300 } })
    const started = Date.now()
    const [silent] = await open(1)
    const head = `GET ${IMDS} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n`
    const ended = once(silent!, 'close')
    silent!.resume()
    const slow = await target.raw(head)
    await ended
    expect(slow).toMatch(/^HTTP\/1\.1 408 /)
    expect(await target.raw(`${head}Metadata: true\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
    expect(Date.now() - started).toBeLessThan(5000)
    expect(target.events.every((it) => it.status === 408 && it.reason === 'malformed')).toBe(true)
  })

  it('I13 answers an SDK at once beside 2000 silent connections', async () => {
    target = await startServer()
    const sockets = await open(2000)
    const started = performance.now()
    expect((await target.get(IMDS, metadata)).status).toBe(200)
    const took = performance.now() - started
    for (const socket of sockets) socket.destroy()
    expect(took).toBeLessThan(1000)
  })

  it('I14 survives 2,000 connections that are reset', async () => {
    target = await startServer()
    for (let i = 0; i < 40; i++) for (const socket of await open(50)) socket.resetAndDestroy()
    expect((await target.get(IMDS, metadata)).status).toBe(200)
    expect(target.events).toEqual([])
  })

  it('makes room: the oldest silent connection goes', async () => {
    target = await startServer({ limits: { maxConnections: 8, clientTimeoutMs: 60_000 } })
    const sockets = await open(8)
    const gone = once(sockets[0]!, 'close')
    sockets[0]!.resume()
    const [last] = await open(1)
    await gone
    expect(sockets.slice(1).every((it) => !it.destroyed)).toBe(true)
    for (const socket of [...sockets, last!]) socket.destroy()
  })

  it('I13 lets connections that wait to be admitted take no place, up to eight times as many', async () => {
    const waiting = new EventEmitter()
    const { promise: mayGo, resolve: admitAll } = withResolvers()
    let isOurs = false
    const port = await listen({
      admit: async () => {
        if (isOurs) return undefined
        waiting.emit('one')
        await mayGo
        return undefined
      },
    })
    const others: Promise<TestAnswer>[] = []
    const wait = async (): Promise<void> => {
      const isWaiting = once(waiting, 'one')
      others.push(get('127.0.0.1', port, '/other'))
      await isWaiting
    }
    while (others.length < 63) await wait()
    isOurs = true
    expect((await get('127.0.0.1', port, '/ours')).text).toBe('/ours')
    isOurs = false
    await wait()
    isOurs = true
    await expect(get('127.0.0.1', port, '/ours')).rejects.toMatchObject({ code: 'ECONNRESET' })
    admitAll()
    const texts = (await Promise.allSettled(others)).map((it) => (it.status === 'fulfilled' ? it.value.text : 'gone'))
    expect(new Set(texts)).toEqual(new Set(['/other', 'gone'])) // all at once, they have 8 places
  })

  it('I13 I20 parses nothing of a connection before it is admitted, nor ever when it is not', async () => {
    const { promise: mayGo, resolve: decide } = withResolvers()
    const handled: (string | undefined)[] = []
    const turnedAway = jest.fn()
    let isFirst = true
    const port = await listen({
      admit: async () => {
        if (!isFirst) return undefined
        isFirst = false
        await mayGo
        return new Refusal(403, 'peer', 'not you')
      },
      handle: async (request, response) => {
        handled.push(request.url)
        response.setHeader('connection', 'close').end()
      },
      onTurnedAway: turnedAway,
    })
    const answer = raw('127.0.0.1', port, 'GET /stranger HTTP/1.1\r\n\r\n'.repeat(1000))
    for (let i = 0; i < 5; i++) await get('127.0.0.1', port, '/ours')
    decide()
    expect(await answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*"not you"\}$/s)
    expect(handled).toEqual(Array.from({ length: 5 }, () => '/ours'))
    expect(turnedAway).toHaveBeenCalledTimes(1)
  })

  it('I26 takes sixteen requests at a time of one connection, and hangs up on who sends more', async () => {
    let handled = 0
    const refused = jest.fn()
    const port = await listen({ handle: async () => void handled++, onRefused: refused })
    expect(await raw('127.0.0.1', port, 'GET / HTTP/1.1\r\n\r\n'.repeat(1000))).toBe('')
    expect(handled).toBe(16)
    expect(refused.mock.calls).toEqual([[400, 'malformed']])
  })

  it('I13 waits for nobody who does not take an answer', async () => {
    const port = await listen({ handle: async () => {}, answerTimeoutMs: 100 })
    expect(await raw('127.0.0.1', port, 'GET / HTTP/1.1\r\n\r\n')).toBe('')
  })

  it('I14 I26 survives a tunnel whose client is gone already', async () => {
    await listen()
    const socket = new Duplex({
      read: () => {},
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
    })
    const closed = new Promise((resolve) => socket.on('close', resolve))
    server?.emit('connect', {}, socket, Buffer.alloc(0))
    await closed
  })

  it('never makes room at the cost of a request that was admitted', async () => {
    const credential = testCredential()
    const { getToken } = credential
    let arrive = (): void => {}
    const arrived = new Promise<void>((resolve) => (arrive = resolve))
    let asked = (): void => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    credential.getToken = async (scope) => {
      asked()
      await arrived
      return getToken.call(credential, scope)
    }
    target = await startServer({ limits: { maxConnections: 8 } }, credential)
    const underWay = target.get(IMDS, metadata)
    await isAsked
    const sockets = await open(20)
    arrive()
    expect((await underWay).status).toBe(200)
    for (const socket of sockets) socket.destroy()
  })

  it('I26 answers no request with what is wrong about the next', async () => {
    const credential = testCredential()
    let asked = (): void => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    credential.getToken = () => {
      asked()
      return new Promise(() => {})
    }
    target = await startServer({ limits: { credentialTimeoutMs: 10_000 } }, credential)
    const head = `GET ${IMDS} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\nMetadata: true\r\n\r\n`
    const socket = connect(target.port, '127.0.0.1', () => socket.write(head))
    const got = once(socket, 'data')
    const gone = once(socket, 'close')
    socket.on('error', () => {})
    await isAsked
    socket.write('\0\r\n\r\n')
    expect(await Promise.race([got.then(() => 'answer'), gone.then(() => 'closed')])).toBe('closed')
  })

  it('I26 bounds headers and URL', async () => {
    target = await startServer()
    const host = `Host: 127.0.0.1:${target.port}\r\n`
    expect(await target.raw(`GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(9000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
    expect((await target.get(`/${'x'.repeat(5000)}`)).status).toBe(414)
    expect(await target.raw('\0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await target.raw(`GET / HTTP/1.1\r\n${host}A: b\r\n c\r\nContent-Length: x\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 400 /,
    )
    expect(target.events.map((it) => it.status)).toEqual([431, 414, 400, 400])
  })
})
