import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RefusalReason } from '../types.ts'

export interface HttpServerInit {
  maxConnections: number
  /** For the whole of a request to arrive, and between two of them, in milliseconds. */
  clientTimeoutMs: number
  /** `admit` is to be called once the client is known to be one that is served. */
  handle: (request: IncomingMessage, response: ServerResponse, admit: () => void) => Promise<void>
  /** A client that got no further than the parser. */
  onRefused: (status: number, reason: RefusalReason) => void
}

const MAX_HEADER_OCTETS = 8 * 1024
/**
 * Whoever waits to be admitted takes no place, or another user's requests could take all, and is gone in a moment. There is an
 * end to that too.
 */
const CONNECTIONS_PER_PLACE = 8
const STATUS_TEXT: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [431, 'Request Header Fields Too Large'],
])

/** A node:http server whose clients have little time and little room, and where the silent ones make way for the others. */
export function createHttpServer({ maxConnections, clientTimeoutMs, handle, onRefused }: HttpServerInit): Server {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_OCTETS,
    headersTimeout: clientTimeoutMs,
    requestTimeout: clientTimeoutMs,
    keepAliveTimeout: clientTimeoutMs,
    connectionsCheckingInterval: Math.min(500, clientTimeoutMs), // Node's default of 30 s would make 35 s of 5 s
    requireHostHeader: false, // the gate answers that, as it does several
    insecureHTTPParser: false,
  })
  server.maxHeadersCount = 0 // the parser would drop what comes after the 2000th, unseen by the gate; octets are bounded
  server.maxConnections = CONNECTIONS_PER_PLACE * maxConnections
  const idle = new Set<Duplex>() // in the order in which they fell silent
  const busy = new Set<Duplex>() // admitted, with a request under way

  // Called by close() too. Node's own leaves those that never sent a request.
  server.closeIdleConnections = () => {
    for (const socket of idle) socket.destroy()
  }
  server.on('connection', (socket: Socket) => {
    idle.add(socket)
    socket.once('close', () => {
      idle.delete(socket)
      busy.delete(socket)
    })
    if (idle.size + busy.size > maxConnections) for (const oldest of idle) return oldest.destroy()
    return undefined
  })
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request
    idle.delete(socket)
    response.once('close', () => {
      busy.delete(socket)
      if (!socket.destroyed) idle.add(socket)
    })
    void handle(request, response, () => {
      if (!socket.destroyed) busy.add(socket)
    })
  }
  server.on('request', onRequest)
  server.on('checkContinue', onRequest) // a body would follow, which the gate refuses
  server.on('checkExpectation', onRequest) // Node's own 417 would pass the gate by
  server.on('connect', (_request, socket) => refuse(socket, 405, 'method'))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || busy.has(socket)) socket.destroy()
    else if (error.code === 'HPE_HEADER_OVERFLOW') refuse(socket, 431, 'malformed')
    else refuse(socket, error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400, 'malformed')
  })

  const refuse = (socket: Duplex, status: number, reason: RefusalReason): void => {
    onRefused(status, reason)
    if (!socket.writable) return void socket.destroy()
    const head = `HTTP/1.1 ${status} ${STATUS_TEXT.get(status)}`
    const allow = status === 405 ? 'Allow: GET\r\n' : ''
    socket.end(`${head}\r\n${allow}Cache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () =>
      socket.destroy(),
    )
  }
  return server
}
