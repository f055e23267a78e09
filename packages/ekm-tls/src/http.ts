import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { EkmRequest, EkmResponse } from './connect.ts'
import { deadlineError, withDeadline } from './deadline.ts'
import { EkmTlsError } from './errors.ts'

/**
 * One HTTP/1.1 exchange on a socket that is already open: no agent, no redirects, no proxy, a bounded answer.
 *
 * @param broken What broke the socket before, if anything did.
 * @throws {EkmTlsError} `ERR_EKM_CLOSED`, `ERR_EKM_TLS`, `ERR_EKM_TIMEOUT`, `ERR_EKM_ABORTED` or `ERR_EKM_RESPONSE`.
 */
export function requestOn(
  socket: TLSSocket,
  url: URL,
  init: EkmRequest,
  broken: () => Error | undefined,
): Promise<EkmResponse> {
  const limit = init.maxResponseBytes ?? 65_536
  const body = init.body ?? new Uint8Array(0)
  const deadline = { timeoutMs: init.timeoutMs ?? 15_000, signal: init.signal, doing: 'waiting for the answer' }
  return withDeadline(
    deadline,
    (signal) =>
      new Promise((resolve, reject) => {
        const request = httpRequest({
          createConnection: () => socket,
          method: init.method ?? 'POST',
          path: init.path ?? `${url.pathname}${url.search}`,
          headers: { ...init.headers, host: url.host, 'content-length': body.length, connection: 'close' },
          signal,
        })
        const fail = (cause: unknown): void => {
          reject(transferError(broken() ?? cause, signal))
          request.destroy()
        }
        request.once('response', (response) => {
          const { statusCode: status = 0, headers } = response
          readBody(response, limit).then((whole) => resolve({ status, headers, body: whole }), fail)
        })
        // Without a listener Node ends the request in silence: no response, no error.
        request.once('upgrade', (_response, upgraded) => {
          upgraded.destroy()
          fail(new EkmTlsError('ERR_EKM_RESPONSE', 'the server wants another protocol'))
        })
        request.once('error', fail)
        request.end(body)
      }),
  )
}

async function readBody(response: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) throw new EkmTlsError('ERR_EKM_RESPONSE', `the answer is longer than ${limit} octets`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Why there is no answer. The parser's own errors are left out: they hold what was received (`rawPacket`). */
export function transferError(cause: unknown, signal?: AbortSignal): EkmTlsError {
  if (cause instanceof EkmTlsError) return cause
  if (signal?.aborted) return deadlineError(signal, 'waiting for the answer')
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code.startsWith('ERR_SSL_')) {
    // Under TLS 1.3 a server refuses a client's certificate only after the client's handshake is over.
    return new EkmTlsError('ERR_EKM_TLS', 'the server refused the connection by a TLS alert', { cause })
  }
  if (code.startsWith('HPE_')) return new EkmTlsError('ERR_EKM_RESPONSE', 'the answer is not HTTP/1.1')
  return new EkmTlsError('ERR_EKM_CLOSED', 'the connection ended before the answer was whole', { cause })
}
