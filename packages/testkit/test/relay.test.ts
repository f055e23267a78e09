import { once } from 'node:events'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Listening, listen } from '../src/internal/http.ts'
import { createTestPki, type IssuedCertificate } from '../src/pki.ts'
import { type RelayOptions, startRelay, type TestRelay } from '../src/relay.ts'

const LABEL = 'EXPORTER-Channel-Binding'
const pki = await createTestPki()
const [broker, relayed, client, stranger] = (await Promise.all([
  pki.issue({ commonName: 'broker', dns: ['broker.example.com'] }),
  pki.issue({ commonName: 'relay', dns: ['broker.example.com'] }),
  pki.issue({ commonName: 'client', usage: 'client' }),
  createTestPki().then((other) => other.issue({ commonName: 'broker', dns: ['broker.example.com'] })),
])) as [IssuedCertificate, IssuedCertificate, IssuedCertificate, IssuedCertificate]

/** Echoes, and remembers its last connection. */
let last: TLSSocket | undefined
let target: Listening
beforeAll(async () => {
  const { certPem: cert, keyPem: key } = broker
  const server = createServer({
    cert,
    key,
    ca: pki.caPem,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  })
  server.on('secureConnection', (socket) => {
    last = socket
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  target = await listen(server)
})
const relays: TestRelay[] = []
afterAll(async () => {
  for (const relay of relays) await relay.close()
  await target.close()
})

async function start(o: Partial<RelayOptions> = {}): Promise<TestRelay> {
  const defaults = { targetPort: target.port, ...relayed, caPem: pki.caPem, targetServerName: 'broker.example.com' }
  const relay = await startRelay({ ...defaults, ...o })
  relays.push(relay)
  return relay
}

async function open(port: number): Promise<TLSSocket> {
  const { certPem: cert, keyPem: key } = client
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'broker.example.com',
    ca: pki.caPem,
    cert,
    key,
    ALPNProtocols: ['http/1.1'],
  })
  await once(socket, 'secureConnect')
  return socket
}
async function echo(socket: TLSSocket, text: string): Promise<string> {
  socket.write(text)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}

describe('startRelay', () => {
  it('copies plaintext between two TLS 1.3 connections whose keying material differs', async () => {
    const relay = await start()
    const socket = await open(relay.port)
    expect(socket.authorized).toBe(true)
    expect(await echo(socket, 'hello')).toBe('hello')
    expect(relay.bytes).toBe(10)
    expect([socket.getProtocol(), last!.getProtocol()]).toEqual(['TLSv1.3', 'TLSv1.3'])
    expect([socket.alpnProtocol, last!.alpnProtocol]).toEqual(['http/1.1', 'http/1.1'])
    const none = Buffer.alloc(0)
    expect(socket.exportKeyingMaterial(32, LABEL, none)).not.toEqual(last!.exportKeyingMaterial(32, LABEL, none))
    expect(last!.getPeerX509Certificate()).toBeUndefined() // the client's certificate does not pass
    const ended = once(socket, 'close')
    await relay.close()
    await ended
  })

  it('shows the target a certificate of its own', async () => {
    const relay = await start({ clientCert: client })
    expect(await echo(await open(relay.port), 'x')).toBe('x')
    expect(last!.authorized).toBe(true)
    await relay.close()
  })

  it('passes on the end of a connection, after the last octet', async () => {
    const relay = await start()
    const socket = await open(relay.port)
    const text = 'x'.repeat(300_000)
    socket.end(text)
    let received = ''
    for await (const chunk of socket as AsyncIterable<Buffer>) received += chunk.toString()
    expect(received.length).toBe(text.length)
    await relay.close()
  })

  it('drops the client when the target is gone, or not the one it names', async () => {
    for (const o of [{ targetServerName: 'other.example.com' }, { caPem: stranger.certPem }, { targetPort: 1 }]) {
      const relay = await start(o)
      const socket = await open(relay.port)
      await once(socket.resume(), 'close')
      expect(relay.bytes).toBe(0)
      await relay.close()
    }
  })
})
