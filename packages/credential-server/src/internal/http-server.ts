import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RefusalReason } from '../types.ts'
import { createPlaces } from './places.ts'
import type { Refusal } from './refusal.ts'
import { oauthRefusalBody } from './route.ts'

export interface HttpServerInit {
  maxConnections: number
  /** For the whole of a request to arrive, and between two of them, in milliseconds. */
  clientTimeoutMs: number
  /** For a request to be answered and its answer to be taken, in milliseconds. */
  answerTimeoutMs: number
  /** Asked once a connection, before an octet of it is read. @returns Why not. */
  admit: (socket: Socket) => Promise<Refusal | undefined>
  /** Whose an admitted connection is, where that is known. */
  userOf: (socket: Socket) => number | undefined
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  /** A client that got no further than the parser. */
  onRefused: (status: number, reason: RefusalReason) => void
  /** A client that was not admitted, and heard of it. */
  onTurnedAway: (socket: Socket, refusal: Refusal) => void
}

const MAX_HEADER_OCTETS = 8 * 1024
/** Whoever waits to be admitted takes no place, and is gone in a moment. There is an end to that too. */
const CONNECTIONS_PER_PLACE = 8
/** Clients send one request at a time; the parser would take as many as there is memory for. */
const MAX_UNDER_WAY = 16
const STATUS_TEXT: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [403, 'Forbidden'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [431, 'Request Header Fields Too Large'],
])

/** A node:http server whose clients have little time and little room, and where the silent ones make way for the others. */
export function createHttpServer(init: HttpServerInit): Server {
  const { maxConnections, clientTimeoutMs, answerTimeoutMs, admit, userOf, handle, onRefused, onTurnedAway } = init
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
  const places = createPlaces(maxConnections)

  // Called by close() too. Node's own leaves those that never sent a request.
  server.closeIdleConnections = () => places.closeIdle()

  const enter = async (socket: Socket): Promise<void> => {
    // node:http begins to read in a tick of its own. What a stranger sends must not even be parsed: 64 KiB are 1,600 requests.
    process.nextTick(() => socket.pause())
    const refusal = await admit(socket)
    if (socket.destroyed) return
    if (!server.listening) return void socket.destroy()
    if (refusal !== undefined) return turnAway(socket, refusal)
    places.enter(socket, userOf(socket))
    socket.resume()
  }
  server.on('connection', (socket: Socket) => void enter(socket))

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request
    if (socket.destroyed) return // the parser goes on to the end of what it has
    if (places.begin(socket) > MAX_UNDER_WAY) {
      onRefused(400, 'malformed')
      return void socket.destroy()
    }
    const timer = setTimeout(() => socket.destroy(), answerTimeoutMs).unref() // Node waits forever for who doesn't read
    response.once('close', () => {
      clearTimeout(timer)
      places.end(socket)
    })
    void handle(request, response)
  }
  server.on('request', onRequest)
  server.on('checkContinue', onRequest) // a body would follow, which the gate refuses
  server.on('checkExpectation', onRequest) // Node's own 417 would pass the gate by
  server.on('connect', (_request, socket) => {
    socket.on('error', () => socket.destroy()) // Node has taken its own away: a reset would end the process
    refuse(socket, 405, 'method')
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || places.isBusy(socket)) socket.destroy()
    else if (error.code === 'HPE_HEADER_OVERFLOW') refuse(socket, 431, 'malformed')
    else refuse(socket, error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400, 'malformed')
  })

  const refuse = (socket: Duplex, status: number, reason: RefusalReason): void => {
    onRefused(status, reason)
    if (!socket.writable) return void socket.destroy()
    socket.end(rawAnswer(status, ''), () => socket.destroy())
  }

  const turnAway = (socket: Socket, refusal: Refusal): void => {
    socket.end(rawAnswer(refusal.status, oauthRefusalBody(refusal)), (error?: Error | null) => {
      if (!(error instanceof Error)) onTurnedAway(socket, refusal)
      socket.destroy()
    })
  }
  return server
}

function rawAnswer(status: number, body: string): string {
  return [
    `HTTP/1.1 ${status} ${STATUS_TEXT.get(status) ?? 'Error'}`,
    ...(status === 405 ? ['Allow: GET'] : []),
    ...(body === '' ? [] : ['Content-Type: application/json']),
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
