import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RefusalReason } from '../types.ts'

export interface HttpServerInit {
  maxConnections: number
  /** For the whole of a request to arrive, and between two of them, in milliseconds. */
  clientTimeoutMs: number
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  /** A client that got no further than the parser. */
  onRefused: (status: number, reason: RefusalReason) => void
}

const MAX_HEADER_OCTETS = 8 * 1024
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
  const idle = new Set<Duplex>() // in the order in which they fell silent
  const busy = new Set<Duplex>()

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
    busy.add(socket)
    response.once('close', () => {
      busy.delete(socket)
      if (!socket.destroyed) idle.add(socket)
    })
    void handle(request, response)
  }
  server.on('request', onRequest)
  server.on('checkContinue', onRequest) // a body would follow, which the gate refuses
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
