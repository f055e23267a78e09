import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { BrokerError } from '../errors.ts'

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const

/** The only thing that a refused client is told. */
const refusalBody = (error: BrokerError, requestId: string): string =>
  JSON.stringify({ error: { code: error.code, request_id: requestId } })

/** Sends credentials; nothing follows the JSON. */
export function sendGrant(response: ServerResponse, body: object, close: boolean): void {
  send(response, 200, JSON.stringify(body), close ? { connection: 'close' } : {})
}

/** Sends a refusal, and ends the connection: whoever was refused starts over, with a new handshake. */
export function sendRefusal(response: ServerResponse, error: BrokerError, requestId: string): void {
  send(response, error.status, refusalBody(error, requestId), { connection: 'close', ...extraHeaders(error) })
}

function send(response: ServerResponse, status: number, body: string, headers: Record<string, string>): void {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, { ...HEADERS, 'content-length': Buffer.byteLength(body), ...headers })
  response.end(body)
}

/** The same refusal where Node has no response object, because the request could not be parsed. */
export function sendRawRefusal(socket: Duplex, error: BrokerError, requestId: string): void {
  if (!socket.writable) return void socket.destroy()
  const body = refusalBody(error, requestId)
  const head = Object.entries({
    ...HEADERS,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    ...extraHeaders(error),
  })
  socket.end(
    `HTTP/1.1 ${error.status} ${error.code}\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
    () => socket.destroy(),
  )
}

function extraHeaders(error: BrokerError): Record<string, string> {
  return {
    ...(error.code === 'method_not_allowed' ? { allow: 'POST' } : {}),
    ...(error.retryAfterSeconds === undefined ? {} : { 'retry-after': String(error.retryAfterSeconds) }),
  }
}
