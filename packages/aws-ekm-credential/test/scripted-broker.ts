import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { captureChannels, ekmServerOptions, GO_V1_EXPORTER, TLS_EXPORTER } from '@hardbound/ekm-tls'
import type { TestPki } from '@hardbound/testkit'

/** One request as a scripted broker saw it. */
export interface Seen {
  path: string
  host: string | undefined
  /** Server name of the TLS handshake. */
  sni: string | false | null
  /** Subject of the client certificate. */
  client: string | undefined
  body: Record<string, string>
  /** Both exporters' keying material, hex: RFC 9266, then Go-v1. */
  ekm: string[]
}

export interface Answer {
  status?: number
  headers?: Record<string, string>
  /** Text as it is, anything else as JSON; `Buffer`: octets in place of the whole HTTP answer. */
  body?: unknown
}

/** A broker that says what it is told to: it has a certificate of the pinned authority, and no scruples. */
export async function startScriptedBroker(pki: TestPki, answer: (seen: Seen, index: number) => Answer | 'hang up') {
  const own = await pki.issue({ commonName: 'broker', dns: ['broker.example.com', 'other.example.com'] })
  const options = { cert: own.certPem, key: own.keyPem, ca: pki.caPem, requestCert: true, rejectUnauthorized: false }
  const server = createServer({ ...options, ...ekmServerOptions() })
  const channels = captureChannels(server, [TLS_EXPORTER, GO_V1_EXPORTER])
  const seen: Seen[] = []
  const sockets = new Set<TLSSocket>()
  server.on('secureConnection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  })
  server.on('request', async (request, response) => {
    const socket = request.socket as TLSSocket & { servername: Seen['sni'] }
    const ekm = channels.get(socket)?.map((it) => Buffer.from(it.ekm).toString('hex')) ?? []
    const client = (socket.getPeerCertificate() as { subject?: { CN?: string | string[] } }).subject?.CN
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const it: Seen = {
      path: request.url ?? '',
      host: request.headers.host,
      sni: socket.servername,
      client: client === undefined ? undefined : String(client),
      body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>,
      ekm,
    }
    seen.push(it)
    const said = answer(it, seen.length - 1)
    if (said === 'hang up') return void socket.destroy()
    const { status = 200, headers = {}, body = {} } = said
    if (Buffer.isBuffer(body)) return void socket.end(body)
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    seen,
    broker: { url: 'https://broker.example.com', address: `127.0.0.1:${port}`, ca: pki.caPem },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** A well-formed v2 answer of keys that nobody issued. */
export const keysFor = (role: string, account: string, seconds = 3600) => ({
  Version: 1,
  AccessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  SecretAccessKey: 'canary/SecretAccessKey/0123456789abcdefgh',
  SessionToken: 'canarySessionToken0123456789',
  Expiration: new Date(Date.now() + seconds * 1000).toISOString(),
  AssumedRoleArn: `arn:aws:sts::${account}:assumed-role/${role}/session`,
})
