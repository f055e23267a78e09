import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { isCertificateCode } from './checks.ts'

const MAX_BODY_OCTETS = 65_536

export interface HttpAnswer {
  readonly status: number
  readonly location: string | undefined
  readonly body: string
}

export interface HttpQuestion {
  readonly url: URL
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Certificates of authorities, PEM. Absent: those of Node. */
  readonly ca?: string | Buffer
  readonly signal: AbortSignal
}

/** One request, no redirects, at most 64 KiB of answer. @throws {HmacBackendError} without a cause: Node's may hold the answer. */
export function boundedRequest(question: HttpQuestion): Promise<HttpAnswer> {
  const { url, method, headers, body, ca, signal } = question
  const isTls = url.protocol === 'https:'
  const fail = (cause: unknown): HmacBackendError => {
    if (cause instanceof HmacBackendError) return cause
    if (signal.aborted) return new HmacBackendError('ERR_HMAC_TIMEOUT', `vault: ${url.host}: no answer in time`)
    return networkError(url.host, cause)
  }
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(fail(undefined))
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    // A connection of its own: SigV4 asks once a day, and an idle one may be closed just as it is used again.
    const options = { method, headers: { ...headers, ...length }, agent: false }
    // Said aloud, so that no environment variable can turn it off.
    const tls = { rejectUnauthorized: true, minVersion: 'TLSv1.2' as const, ...(ca === undefined ? {} : { ca }) }
    const req: ClientRequest = isTls ? httpsRequest(url, { ...options, ...tls }) : httpRequest(url, options)
    const onAbort = (): void => void req.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = (action: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      action()
    }
    req.on('upgrade', (_, socket) => socket.destroy()) // without this a 101 would never end
    req.on('error', (cause) => settle(() => reject(fail(cause))))
    const onClose = (): void => settle(() => reject(fail(undefined)))
    req.on('close', onClose)
    req.on('response', (res) => {
      req.off('close', onClose) // from here on the answer says how it ends
      readAnswer(res, req).then(
        (answer) => settle(() => resolve(answer)),
        (cause: unknown) => settle(() => reject(fail(cause))),
      )
    })
    req.end(body)
  })
}

async function readAnswer(res: IncomingMessage, req: ClientRequest): Promise<HttpAnswer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of res as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY_OCTETS) {
      req.destroy()
      throw new HmacBackendError('ERR_HMAC_RESPONSE', 'vault: an answer of more than 64 KiB')
    }
    chunks.push(chunk)
  }
  return { status: res.statusCode ?? 0, location: res.headers.location, body: Buffer.concat(chunks).toString('utf8') }
}

function networkError(host: string, cause: unknown): HmacBackendError {
  const raw = cause instanceof Error && 'code' in cause ? String(cause.code) : 'ECONNRESET'
  const code = /^\w{1,64}$/.test(raw) ? raw : 'error'
  if (code.startsWith('HPE_')) return new HmacBackendError('ERR_HMAC_RESPONSE', `vault: ${host}: not HTTP (${code})`)
  if (isCertificateCode(code))
    return new HmacBackendError('ERR_HMAC_UNTRUSTED', `vault: ${host}: its certificate (${code})`)
  return new HmacBackendError('ERR_HMAC_UNAVAILABLE', `vault: ${host}: no connection (${code})`)
}
