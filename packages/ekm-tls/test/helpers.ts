import { createServer, type Server, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createTestPki, type TestPki } from '@hardbound/testkit'
import { type Channel, captureChannels, type Exporter, ekmServerOptions } from '../src/index.ts'

export interface TestServer {
  port: number
  url: string
  server: Server
  /** What each connection's channels were, in the order of the connections. */
  channels: (readonly Channel[])[]
  requests: { method: string; path: string; headers: NodeJS.Dict<string | string[]>; body: string }[]
  close(): Promise<void>
}

export interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: string
}

/** An HTTPS server as a broker would be, on loopback; `answer` is what it says. */
export async function startServer(
  pki: TestPki,
  init: {
    options?: ServerOptions
    exporters?: readonly Exporter[]
    answer?: (request: TestServer['requests'][number]) => Answer | Promise<Answer>
  } = {},
): Promise<TestServer> {
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', dns: ['broker.example.com'], ip: ['127.0.0.1'] })
  const server = createServer({ ...ekmServerOptions(), cert: certPem, key: keyPem, ...init.options })
  const registry = captureChannels(server, init.exporters)
  const seen: TestServer['channels'] = []
  const requests: TestServer['requests'] = []
  server.on('secureConnection', (socket: TLSSocket) => {
    const channels = registry.get(socket)
    if (channels !== undefined) seen.push(channels.map((it) => ({ ...it, ekm: Uint8Array.from(it.ekm) })))
  })
  server.on('tlsClientError', () => {})
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const it = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    }
    requests.push(it)
    const { status = 200, headers = {}, body = '{}' } = (await init.answer?.(it)) ?? {}
    response.writeHead(status, headers).end(body)
  })
  const port = await listen(server)
  return {
    port,
    url: `https://broker.example.com:${port}`,
    server,
    channels: seen,
    requests,
    close: () => closeServer(server),
  }
}

export async function listen(server: import('node:net').Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

export async function closeServer(
  server: import('node:net').Server & { closeAllConnections?: () => void },
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections?.()
  await closed
}

export const newPki = createTestPki
export const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex')
