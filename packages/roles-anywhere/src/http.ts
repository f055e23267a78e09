import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { RolesAnywhereError } from './errors.ts'
import { withDeadline } from './internal/deadline.ts'
import { type DialInit, dial } from './internal/dial.ts'

/** Octets of an answer that are read at most; a real one has about 3 KiB. */
const MAX_ANSWER_OCTETS = 65_536
/** Milliseconds for name look-up, TCP, proxy and TLS together. */
const CONNECT_TIMEOUT_MS = 5_000

/** What one POST needs. */
export interface Post extends DialInit {
  /** Path and query, as they go on the wire. */
  readonly target: string
  /** Names in lower case; `host` is one of them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The reader zeroes it. */
  readonly body: Buffer
}

/**
 * One POST over a connection of its own, without redirects; at most 64 KiB of answer.
 *
 * @throws {RolesAnywhereError} `ERR_RA_UNREACHABLE`, `ERR_RA_UNTRUSTED`, `ERR_RA_RESPONSE`; anything when the signal has fired.
 */
export async function post({ target, headers, body, ...to }: Post): Promise<HttpAnswer> {
  const { origin, signal } = to
  const socket = await withDeadline(
    {
      timeoutMs: CONNECT_TIMEOUT_MS,
      signal,
      onTimeout: () =>
        new RolesAnywhereError('ERR_RA_UNREACHABLE', `no connection to ${origin.host} within ${CONNECT_TIMEOUT_MS} ms`),
      onAbort: () => signal.reason as Error,
    },
    (inner) => dial({ ...to, signal: inner }),
  )
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      createConnection: () => socket,
      method: 'POST',
      path: target,
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      signal,
    })
    const fail = (error: RolesAnywhereError): void => {
      reject(error)
      socket.destroy()
    }
    const wrong = (what: string): void => fail(new RolesAnywhereError('ERR_RA_RESPONSE', `${origin.host} ${what}`))
    // The error of Node is left out: one of the HTTP parser holds the answer's octets.
    const onError = ({ code = 'unknown' }: NodeJS.ErrnoException): void => {
      if (code.startsWith('HPE_')) wrong(`does not speak HTTP (${code})`)
      else fail(new RolesAnywhereError('ERR_RA_UNREACHABLE', `the connection to ${origin.host} broke (${code})`))
    }
    request.on('error', onError)
    request.once('upgrade', () => wrong('wants another protocol'))
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      let octets = 0
      response.on('data', (chunk: Buffer) => {
        octets += chunk.length
        chunks.push(chunk)
        if (octets > MAX_ANSWER_OCTETS) wrong(`answered with more than ${MAX_ANSWER_OCTETS} octets`)
      })
      response.on('error', onError)
      response.once('end', () => {
        const whole = Buffer.concat(chunks)
        for (const chunk of chunks) chunk.fill(0)
        socket.destroy()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole })
      })
    })
    request.end(body)
  })
}
