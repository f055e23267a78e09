import type { Socket } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { listen } from './internal/http.ts'

/** Where a relay stands, and whom it plays. */
export interface RelayOptions {
  readonly targetPort: number
  /** Default: `127.0.0.1`. */
  readonly targetHost?: string
  /** Shown to clients: a certificate that they trust, with the key for it. */
  readonly certPem: string
  readonly keyPem: string
  /** Authority of the target's certificate. */
  readonly caPem: string
  /** Name the target's certificate has to carry. */
  readonly targetServerName: string
  /** Shown to the target. Default: no certificate. */
  readonly clientCert?: { readonly certPem: string; readonly keyPem: string }
}

/** A running relay. */
export interface TestRelay {
  readonly port: number
  /** Octets of plaintext that passed through, both ways together. */
  readonly bytes: number
  close(): Promise<void>
}

/**
 * Starts a full man in the middle: it ends the client's TLS connection with a valid certificate, opens its own to the
 * target, and copies what it reads. Both legs are TLS 1.3 with `http/1.1`, and their keying material differs.
 */
export async function startRelay(o: RelayOptions): Promise<TestRelay> {
  const upstreams = new Set<TLSSocket>()
  let bytes = 0

  const server = createServer({
    cert: o.certPem,
    key: o.keyPem,
    ...BOTH_LEGS,
    requestCert: true, // a client that has a certificate sends it here in vain
    rejectUnauthorized: false,
  })
  server.on('secureConnection', (client) => {
    const upstream = connect({
      host: o.targetHost ?? '127.0.0.1',
      port: o.targetPort,
      servername: o.targetServerName,
      ca: o.caPem,
      ...BOTH_LEGS,
      ...(o.clientCert && { cert: o.clientCert.certPem, key: o.clientCert.keyPem }),
    })
    upstreams.add(upstream)
    upstream.once('close', () => upstreams.delete(upstream))
    const count = (chunk: Buffer) => {
      bytes += chunk.length
    }
    client.on('data', count)
    upstream.on('data', count)
    couple(client, upstream)
    couple(upstream, client)
  })
  const listening = await listen(server)
  return {
    port: listening.port,
    get bytes() {
      return bytes
    },
    async close() {
      for (const upstream of upstreams) upstream.destroy()
      await listening.close()
    },
  }
}

/** Half open: the end of one direction is passed on, not answered. */
const BOTH_LEGS = { minVersion: 'TLSv1.3' as const, ALPNProtocols: ['http/1.1'], allowHalfOpen: true }

/** What one end says goes to the other; when one end is gone, so is the other, after what is still to be written. */
function couple(from: Socket, to: Socket): void {
  from.pipe(to)
  from.once('error', () => to.destroy())
  from.once('close', () => to.destroySoon())
}
