import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { TestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { connectEkm, exportKeyingMaterial, GO_V1_EXPORTER, TLS_EXPORTER } from '../src/index.ts'
import { closeServer, hex, listen, newPki, startServer, type TestServer } from './helpers.ts'

describe('exportKeyingMaterial', () => {
  let pki: TestPki
  let server: TestServer
  let folder: string
  beforeAll(async () => {
    pki = await newPki()
    server = await startServer(pki, { exporters: [TLS_EXPORTER, GO_V1_EXPORTER] })
    folder = await mkdtemp(join(tmpdir(), 'hardbound-ekm-'))
    await writeFile(join(folder, 'ca.pem'), pki.caPem)
  })
  afterAll(async () => {
    await server.close()
    await rm(folder, { recursive: true })
  })

  it.each([
    ['RFC 9266', TLS_EXPORTER, 0],
    ['Go-v1', GO_V1_EXPORTER, 1],
  ])('agrees with openssl s_client -keymatexport: %s', async (_name, { label, length }, index) => {
    const before = server.channels.length
    const said = await openssl(folder, server.port, ['-keymatexport', label, '-keymatexportlen', String(length)])
    const exported = /Keying material: ([0-9A-F]+)/.exec(said)?.[1]?.toLowerCase()
    expect(exported).toHaveLength(64)
    expect(hex(server.channels[before]![index]!.ekm)).toBe(exported)
  })

  it('is the same at both ends, and another one on each connection', async () => {
    const values = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const connection = await connectEkm({ url: server.url, address: `127.0.0.1:${server.port}`, ca: pki.caPem })
      values.add(hex(connection.channel.ekm))
      await connection.request({}) // a TLS 1.3 client is done with the handshake before the server
      expect(hex(server.channels.at(-1)![0]!.ekm)).toBe(hex(connection.channel.ekm))
      connection.close()
    }
    expect(values.size).toBe(3)
  })

  it('E10 gives another value for another label, case and length', async () => {
    const socket = await rawClient(pki, server.port)
    const values = [
      TLS_EXPORTER,
      GO_V1_EXPORTER,
      { label: 'exporter-channel-binding', length: 32 },
      { label: 'EXPORTER-Channel-Binding', length: 48 },
    ].map((exporter) => hex(exportKeyingMaterial(socket, exporter)).slice(0, 64))
    expect(new Set(values).size).toBe(4)
    socket.destroy()
  })

  it('E11 takes no context and an empty context for the same, and another context for another', async () => {
    const socket = await rawClient(pki, server.port)
    const none = hex(exportKeyingMaterial(socket))
    expect(hex(exportKeyingMaterial(socket, { ...TLS_EXPORTER, context: new Uint8Array(0) }))).toBe(none)
    expect(hex(exportKeyingMaterial(socket, { ...TLS_EXPORTER, context: Buffer.from('x') }))).not.toBe(none)
    socket.destroy()
  })

  it('E23 refuses a socket that is gone, and one whose handshake is not over', async () => {
    const socket = await rawClient(pki, server.port)
    socket.destroy()
    expect(() => exportKeyingMaterial(socket)).toThrow(expect.objectContaining({ code: 'ERR_EKM_NOT_ESTABLISHED' }))
    const early = tlsConnect({ port: server.port, host: '127.0.0.1', ca: pki.caPem })
    early.on('error', () => {})
    expect(() => exportKeyingMaterial(early)).toThrow(expect.objectContaining({ code: 'ERR_EKM_NOT_ESTABLISHED' }))
    early.destroy()
  })

  it('E25 refuses TLS 1.2, where the value is not safe without the extended master secret', async () => {
    const { certPem, keyPem } = await pki.issue({ commonName: 'old', ip: ['127.0.0.1'] })
    const old = createServer({ cert: certPem, key: keyPem, maxVersion: 'TLSv1.2' })
    const port = await listen(old)
    const socket = await rawClient(pki, port)
    expect(() => exportKeyingMaterial(socket)).toThrow(expect.objectContaining({ code: 'ERR_EKM_PROTOCOL_VERSION' }))
    socket.destroy()
    await closeServer(old)
  })

  it.each([[''], ['a\0b'], ['é'], ['x'.repeat(250)]])(
    'refuses the label %j as a mistake of the caller',
    async (label) => {
      const socket = await rawClient(pki, server.port)
      expect(() => exportKeyingMaterial(socket, { label, length: 32 })).toThrow(TypeError)
      socket.destroy()
    },
  )

  it.each([0, 256, 1.5])('refuses to export %d octets', async (length) => {
    const socket = await rawClient(pki, server.port)
    expect(() => exportKeyingMaterial(socket, { label: 'EXPORTER-test', length })).toThrow(RangeError)
    socket.destroy()
  })
})

function rawClient(pki: TestPki, port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', ca: pki.caPem }, () => resolve(socket))
    socket.on('error', reject)
  })
}

function openssl(folder: string, port: number, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', join(folder, 'ca.pem'), '-tls1_3', ...args],
      (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
    )
    child.stdin!.end()
  })
}
