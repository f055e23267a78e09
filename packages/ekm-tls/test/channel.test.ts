import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, connect as tlsConnect } from 'node:tls'
import type { TestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { captureChannel, connectEkm } from '../src/index.ts'
import { subjectPublicKeyInfo } from '../src/internal/spki.ts'
import { closeServer, hex, listen, newPki, startServer, type TestServer } from './helpers.ts'

describe('captureChannel', () => {
  let pki: TestPki
  let server: TestServer
  beforeAll(async () => {
    pki = await newPki()
    server = await startServer(pki, { options: { ca: pki.caPem, requestCert: true, rejectUnauthorized: false } })
  })
  afterAll(() => server.close())

  it('knows the keys of both ends, at both ends', async () => {
    const client = await pki.issue({ commonName: 'workload', usage: 'client' })
    const connection = await connectEkm({
      url: server.url,
      address: `127.0.0.1:${server.port}`,
      ca: pki.caPem,
      cert: client.certPem,
      key: client.keyPem,
    })
    await connection.request({ body: Buffer.from('{}') })
    expect(hex(connection.channel.clientSpkiSha256!)).toBe(client.spkiSha256)
    const [seen] = server.channels.at(-1)!
    expect(hex(seen!.clientSpkiSha256!)).toBe(client.spkiSha256)
    expect(hex(seen!.serverSpkiSha256)).toBe(hex(connection.channel.serverSpkiSha256))
    connection.close()
  })

  it('has no client key where the client shows no certificate', async () => {
    const connection = await connectEkm({ url: server.url, address: `127.0.0.1:${server.port}`, ca: pki.caPem })
    await connection.request({})
    expect(connection.channel.clientSpkiSha256).toBeUndefined()
    expect(server.channels.at(-1)![0]!.clientSpkiSha256).toBeUndefined()
    connection.close()
  })

  it('is the same when taken twice, also where the server sends a chain', async () => {
    const leaf = await pki.issue({ commonName: 'broker', ip: ['127.0.0.1'] })
    const other = await pki.issue({ commonName: 'other', ip: ['127.0.0.1'] })
    const chained = createServer({ cert: leaf.certPem + other.certPem, key: leaf.keyPem })
    const socket = tlsConnect({ port: await listen(chained), host: '127.0.0.1', ca: pki.caPem })
    await once(socket, 'secureConnect')
    expect([1, 2, 3].map(() => hex(captureChannel(socket, 'client').serverSpkiSha256))).toEqual(
      Array(3).fill(leaf.spkiSha256),
    )
    socket.destroy()
    await closeServer(chained)
  })

  it('T04 destroys a connection whose client certificate did not verify, even where the server would let it in', async () => {
    const stranger = await (await newPki()).issue({ commonName: 'stranger', usage: 'client' })
    const before = server.channels.length
    const connection = await connectEkm({
      url: server.url,
      address: `127.0.0.1:${server.port}`,
      ca: pki.caPem,
      cert: stranger.certPem,
      key: stranger.keyPem,
    })
    await expect(connection.request({})).rejects.toMatchObject({ code: 'ERR_EKM_CLOSED' })
    expect(server.channels.length).toBe(before)
    connection.close()
  })
})

describe('subjectPublicKeyInfo', () => {
  it.each(['P-256', 'RSA-2048'] as const)('finds the key of a %s certificate, octet for octet', async (keyType) => {
    const { certPem, spkiSha256 } = await (await newPki()).issue({ commonName: 'x', keyType })
    const spki = subjectPublicKeyInfo(new X509Certificate(certPem).raw)
    expect(createHash('sha256').update(spki).digest('hex')).toBe(spkiSha256)
  })

  it('refuses what is not a certificate, cut off at any octet', async () => {
    const der = new X509Certificate((await (await newPki()).issue({ commonName: 'x' })).certPem).raw
    const end = subjectPublicKeyInfo(der).byteOffset - der.byteOffset + subjectPublicKeyInfo(der).length
    for (let length = 0; length < end; length++) {
      expect(() => subjectPublicKeyInfo(der.subarray(0, length))).toThrow(TypeError)
    }
  })
})
