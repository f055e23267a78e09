import { type AddressInfo, connect, type Socket } from 'node:net'
import { createServer } from 'node:tls'
import { createTestPki } from './pki.ts'

/** TLS in front of a server that has none. */
export interface TestTlsFront {
  /** `127.0.0.1:port` */
  readonly authority: string
  /** Who made its certificate. */
  readonly caPem: string
  close(): Promise<void>
}

/**
 * Takes TLS, and passes on what is within.
 *
 * @param endpoint `http://127.0.0.1:port` of the server.
 * @param names Further host names that its certificate is for, beside 127.0.0.1.
 */
export async function startTlsFront(endpoint: string, ...names: string[]): Promise<TestTlsFront> {
  const pki = await createTestPki()
  const { certPem: cert, keyPem: key } = await pki.issue({ commonName: 'front', ip: ['127.0.0.1'], dns: names })
  const open = new Set<Socket>()
  const server = createServer({ cert, key }, (client) => {
    const upstream = connect(Number(new URL(endpoint).port), '127.0.0.1')
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => {}).once('close', () => open.delete(socket))
    }
    client.pipe(upstream).pipe(client)
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    authority: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    caPem: pki.caPem,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}
