import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { IMDS, metadata, startServer, type TestServer } from './helpers.ts'

let target: TestServer
afterEach(() => target.server.close())

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

  it('I14 survives connections that are reset', async () => {
    target = await startServer()
    for (let i = 0; i < 20; i++) for (const socket of await open(50)) socket.resetAndDestroy()
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
