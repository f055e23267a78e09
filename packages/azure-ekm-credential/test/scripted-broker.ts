import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { captureChannels, ekmServerOptions, GO_V1_EXPORTER, TLS_EXPORTER } from '@hardbound/ekm-tls'
import type { TestPki } from '@hardbound/testkit'
import { CLIENT, SCOPE, TENANT } from './harness.ts'

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

type Script = (seen: Seen, index: number) => Answer | 'hang up' | 'hang' | Promise<Answer>

/** A broker that says what it is told to: it has a certificate of the pinned authority, and no scruples. */
export async function startScriptedBroker(pki: TestPki, answer: Script) {
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
    const said = await answer(it, seen.length - 1)
    if (said === 'hang') return
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
    /** Connections that are open. */
    sockets,
    broker: { url: 'https://broker.example.com', address: `127.0.0.1:${port}`, ca: pki.caPem },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** What was asked for, out of a v2 body or the claims of a Go-v1 token. */
export const wantOf = ({ body }: Seen): Record<string, unknown> =>
  JSON.parse(body.request ?? Buffer.from(body.token_jwt!.split('.')[1]!, 'base64url').toString()) as Record<
    string,
    unknown
  >

/** A token as Entra writes them, which nobody signed. */
export function jwt(claims: object = {}): string {
  const payload = { aud: SCOPE.replace('/.default', ''), tid: TENANT, appid: CLIENT, ver: '1.0', ...claims }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(payload)}.canarySignature0123456789`
}

/** A well-formed v2 answer of a token that nobody issued. */
export const tokenFor = (seconds = 3600, now = Date.now(), token = jwt()) => ({
  access_token: token,
  token_type: 'Bearer',
  expires_on: Math.floor(now / 1000) + seconds,
})
