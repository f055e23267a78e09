import { once } from 'node:events'
import { createServer, type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { TestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Channel, captureChannels } from '../src/index.ts'
import { closeServer, listen, newPki, startServer, type TestServer } from './helpers.ts'

describe('ekmServerOptions and captureChannels', () => {
  let pki: TestPki
  let server: TestServer
  beforeAll(async () => {
    pki = await newPki()
    server = await startServer(pki, { options: { ca: pki.caPem, requestCert: true, rejectUnauthorized: true } })
  })
  afterAll(() => server.close())

  it('E04 E05 T02 T03 resumes no session: a ticket is worth nothing without the certificate', async () => {
    const client = await pki.issue({ commonName: 'workload', usage: 'client' })
    const session = await sessionOf(server.port, { ca: pki.caPem, cert: client.certPem, key: client.keyPem })
    const before = server.channels.length
    const stolen = tlsConnect({ port: server.port, host: '127.0.0.1', ca: pki.caPem, session })
    const ended = new Promise<void>((resolve) => stolen.on('error', () => {}).once('close', () => resolve()))
    stolen.once('secureConnect', () => {
      expect(stolen.isSessionReused()).toBe(false)
      stolen.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n')
    })
    await ended
    expect(server.channels.length).toBe(before)
    expect(server.requests).toEqual([])
  })

  it('E04 destroys a resumed connection, should a server be made that resumes', async () => {
    const resuming = await startServer(pki, { options: { secureOptions: 0, ticketKeys: Buffer.alloc(48, 1) } })
    const session = await sessionOf(resuming.port, { ca: pki.caPem })
    expect(resuming.channels).toHaveLength(1)
    const again = tlsConnect({ port: resuming.port, host: '127.0.0.1', ca: pki.caPem, session })
    const ended = new Promise<boolean>((resolve) => {
      let reused = false
      again.once('secureConnect', () => {
        reused = again.isSessionReused()
      })
      again.on('error', () => {}).once('close', () => resolve(reused))
    })
    again.resume()
    expect(await ended).toBe(true)
    expect(resuming.channels).toHaveLength(1)
    await resuming.close()
  })

  it.each([
    ['E25 T13 TLS 1.2', { maxVersion: 'TLSv1.2' as const }],
    ['T11 HTTP/2 alone', { ALPNProtocols: ['h2'] }],
    ['T11 a protocol nobody knows', { ALPNProtocols: ['gopher'] }],
    ['T14 only a cipher we do not offer', { ciphers: 'TLS_AES_128_CCM_8_SHA256' }],
  ])('ends the handshake of a client that offers only: %s', async (_name, offer) => {
    const before = server.channels.length
    const client = await pki.issue({ commonName: 'workload', usage: 'client' })
    const socket = tlsConnect({
      port: server.port,
      host: '127.0.0.1',
      ca: pki.caPem,
      cert: client.certPem,
      key: client.keyPem,
      ...offer,
    })
    await new Promise<void>((resolve) => socket.on('error', () => {}).once('close', () => resolve()))
    expect(server.channels.length).toBe(before)
  })

  it('zeroes the keying material when the connection ends', async () => {
    const plain = await startServer(pki)
    let seen: readonly Channel[] = []
    const registry = captureChannels(plain.server)
    plain.server.on('secureConnection', (socket: TLSSocket) => {
      seen = registry.get(socket) ?? []
    })
    const socket = tlsConnect({ port: plain.port, host: '127.0.0.1', ca: pki.caPem })
    await once(plain.server, 'secureConnection')
    expect(seen[0]!.ekm.some((octet) => octet !== 0)).toBe(true)
    socket.destroy()
    while (seen[0]!.ekm.some((octet) => octet !== 0)) await new Promise((resolve) => setImmediate(resolve))
    await plain.close()
  })

  it('E04 destroys what it cannot bind to on a bare TLS server too', async () => {
    const { certPem, keyPem } = await pki.issue({ commonName: 'old', ip: ['127.0.0.1'] })
    const old = createServer({ cert: certPem, key: keyPem, maxVersion: 'TLSv1.2' })
    captureChannels(old)
    old.on('tlsClientError', () => {})
    const socket = tlsConnect({ port: await listen(old), host: '127.0.0.1', ca: pki.caPem }).resume()
    await new Promise<void>((resolve) => socket.on('error', () => {}).once('close', () => resolve()))
    await closeServer(old)
  })

  it('knows nothing of sockets that are not its own', async () => {
    expect(captureChannels(server.server).get({})).toBeUndefined()
  })
})

/** A full handshake that leaves behind a session to resume. */
function sessionOf(port: number, options: { ca: string; cert?: string; key?: string }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = tlsConnect({ port, host: '127.0.0.1', ...options })
    socket.once('session', (session) => {
      socket.destroy()
      resolve(session)
    })
    socket.once('error', reject)
    socket.resume()
  })
}
