import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import { captureChannels, ekmServerOptions, GO_V1_EXPORTER, TLS_EXPORTER } from '@hardbound/ekm-tls'
import { peerFacts } from '../audit-facts.ts'
import { type Broker, newRequestId } from '../broker.ts'
import { BrokerError } from '../errors.ts'
import { createAdmission } from './admission.ts'
import { sendRawRefusal } from './answer.ts'
import { type Connection, openConnection } from './connection.ts'
import { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts'
import { serveRequest } from './serve.ts'

/** Whom the server is, and whom it lets in. */
export interface BrokerTls {
  /** Certificate chain and key, PEM. */
  cert: string | Buffer
  key: string | Buffer
  passphrase?: string
  /** PEM authorities of client certificates. With it every client must show one; without it none is asked for. */
  clientCa?: string | Buffer
  /** PEM revocation lists for `clientCa`. An expired one refuses everybody. */
  crl?: string | Buffer
  /** Hex SHA-256 of SubjectPublicKeyInfos to turn away, whoever signed their certificates. */
  refusedSpkiSha256?: readonly string[]
}

/** What the broker's HTTPS server needs. */
export interface BrokerServerInit {
  broker: Broker
  tls: BrokerTls
  /** Overrides of {@link DEFAULT_LIMITS}. */
  limits?: Partial<BrokerLimits>
  /** Told of connections that ended before a request: failed handshakes and the like. Free of secrets. */
  onConnectionError?: (event: { reason: string; address: string | undefined }) => void
}

/** A broker that listens. */
export interface BrokerServer {
  /**
   * @param port 0 for any free one.
   * @param host Default: `127.0.0.1`.
   * @returns The address it listens on.
   */
  listen(port: number, host?: string): Promise<AddressInfo>
  /** Stops accepting, lets requests under way end within `drainMs` (default 10 000), then ends every connection. */
  close(drainMs?: number): Promise<void>
}

/**
 * The broker over `node:https`: TLS 1.3 only, no resumption, HTTP/1.1 only, every limit on. One route a protocol:
 * `POST /v2/credentials`, and `POST /token` when Go-v1 is on.
 */
export function createBrokerServer(init: BrokerServerInit): BrokerServer {
  const { broker } = init
  const limits = { ...DEFAULT_LIMITS, ...init.limits }
  const refusedKeys = new Set(init.tls.refusedSpkiSha256)
  const connections = new WeakMap<object, Connection>()
  const sockets = new Set<Socket>() // Node's closeAllConnections leaves out those still in their handshake
  const underWay = new Set<Promise<unknown>>()
  let closing = false
  const admission = createAdmission(limits, () => closing)

  const server = createServer({
    ...secureContext(init.tls),
    ...ekmServerOptions(),
    handshakeTimeout: limits.handshakeTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: 500, // Node's default of 30 s would make the two above that late
    maxHeaderSize: limits.maxHeaderBytes,
    requireHostHeader: false, // checkRequest requires exactly one, and answers in JSON
  })
  server.maxConnections = limits.maxConnections
  const channels = captureChannels(server, broker.goV1 ? [TLS_EXPORTER, GO_V1_EXPORTER] : [TLS_EXPORTER])

  server.on('connection', (socket: Socket) => {
    if (!admission.connect(socket)) return void socket.destroy()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('secureConnection', (socket) => {
    const connection = openConnection(socket, channels, refusedKeys)
    if (connection === undefined) return reportConnection(new Error('peer refused'), socket)
    connections.set(socket, connection)
  })
  server.on('tlsClientError', reportConnection)
  server.on('request', serve)
  server.on('checkExpectation', serve) // checkRequest refuses it, in its turn
  server.on('connect', (_request, socket) =>
    refuseRaw(socket as TLSSocket, new BrokerError('method_not_allowed', 'http.method')),
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseRaw(socket as TLSSocket, parserError(error)))

  function reportConnection(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    init.onConnectionError?.({ reason: error.code ?? 'ERR_PEER_REFUSED', address: socket.remoteAddress })
    socket.destroy()
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const connection = connections.get(request.socket)
    if (connection === undefined) return void request.socket.destroy()
    // Node hands over pipelined requests all at once, as many as there are.
    if (++connection.requests > limits.maxRequestsPerConnection) return void request.socket.destroy()
    const served = serveRequest(request, response, connection, { broker, admission, limits })
    track(Promise.all([served, once(response, 'close')]))
  }

  /** For input that is not a request at all, or not a whole one. */
  function refuseRaw(socket: TLSSocket, error: BrokerError): void {
    const connection = connections.get(socket) // none: the handshake failed, and TLS has said so
    if (connection === undefined || error.reason === 'http.reset') return void socket.destroy()
    if (connection.refused) return
    if (socket.bytesRead === connection.octetsOfHandshake) {
      reportConnection(Object.assign(new Error('silent'), { code: 'ERR_PEER_SILENT' }), socket)
      return
    }
    connection.refused = true
    connection.cancel()
    const requestId = newRequestId()
    const facts = { requestId, ...peerFacts(connection.peer) }
    track(broker.refuse(error, facts).then((refusal) => sendRawRefusal(socket, refusal, requestId)))
  }

  function track(work: Promise<unknown>): void {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }

  return {
    listen(port, host = '127.0.0.1') {
      return new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.removeListener('error', reject)
          resolve(server.address() as AddressInfo)
        })
      })
    },
    async close(drainMs = 10_000) {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const drain = async (): Promise<void> => {
        while (underWay.size > 0) await Promise.allSettled(underWay)
      }
      await Promise.race([drain(), sleep(drainMs, undefined, { ref: false })])
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** OpenSSL's security level 2: RSA from 2048 bits, no SHA-1 (SSL_CTX_set_security_level(3)). */
const CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:DEFAULT@SECLEVEL=2'

function secureContext({
  clientCa,
  ...own
}: BrokerTls): SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean } {
  return {
    ...own,
    ciphers: CIPHERS,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    requestCert: clientCa !== undefined,
    rejectUnauthorized: true,
  }
}

function parserError({ code }: NodeJS.ErrnoException): BrokerError {
  switch (code) {
    case 'ECONNRESET':
      return new BrokerError('invalid_request', 'http.reset')
    case 'HPE_HEADER_OVERFLOW':
      return new BrokerError('headers_too_large', 'http.headers')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BrokerError('request_timeout', 'http.timeout')
    default:
      return new BrokerError('invalid_request', 'http.parse')
  }
}
