import type { IncomingMessage } from 'node:http'
import https from 'node:https'
import { type EntraAnswer, EntraTransportError, guidOf } from './entra-call.ts'

/** Octets of an answer that are read at most; a real one has about 2 KiB. */
const MAX_ANSWER_OCTETS = 65_536
const NOTHING = new Uint8Array(0)

/** Connections to Entra. The environment (`NODE_TLS_REJECT_UNAUTHORIZED`, proxies) has no say. */
export const createEntraAgent = (ca: string | undefined): https.Agent =>
  new https.Agent({ keepAlive: true, minVersion: 'TLSv1.2', rejectUnauthorized: true, ca })

/**
 * Posts a form, once. Redirects are answers like any other.
 *
 * @throws {EntraTransportError}
 */
export function postForm(
  url: string,
  form: string,
  { agent, timeoutMs, signal }: { agent: https.Agent; timeoutMs: number; signal: AbortSignal },
): Promise<EntraAnswer> {
  return new Promise((resolve, reject) => {
    let connected = false
    const req = https.request(url, {
      method: 'POST',
      agent,
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(form),
        'user-agent': 'hardbound-broker',
      },
    })
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onTimeout)
    }
    const fail = (timedOut: boolean) => {
      settle()
      reject(new EntraTransportError(connected ? 'answer' : 'connect', timedOut))
      req.destroy()
    }
    const succeed = (res: IncomingMessage, body: Uint8Array) => {
      settle()
      resolve(toAnswer(res, body))
    }
    const onTimeout = () => fail(true)
    const timer = setTimeout(onTimeout, timeoutMs)
    signal.addEventListener('abort', onTimeout, { once: true })
    if (signal.aborted) onTimeout()

    req.once('socket', (socket) => {
      if (req.reusedSocket) connected = true
      else
        socket.once('secureConnect', () => {
          connected = true
        })
    })
    req.on('error', () => fail(false))
    req.once('upgrade', () => fail(false)) // without a listener, a 101 is never answered
    req.once('response', (res) => {
      const chunks: Buffer[] = []
      let octets = 0
      res.on('data', (chunk: Buffer) => {
        octets += chunk.length
        if (octets <= MAX_ANSWER_OCTETS) return chunks.push(chunk)
        succeed(res, NOTHING)
        req.destroy()
      })
      res.on('error', () => fail(false))
      res.once('end', () => succeed(res, Buffer.concat(chunks)))
    })
    req.end(form)
  })
}

function toAnswer(res: IncomingMessage, body: Uint8Array): EntraAnswer {
  const retryAfter = res.headers['retry-after'] ?? ''
  return {
    status: res.statusCode ?? 0,
    retryAfterSeconds: /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined,
    requestId: guidOf(res.headers['x-ms-request-id']),
    body,
  }
}
