import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { StsError } from '../sts-error.ts'

/** Octets of an answer that are read at most; a real one has about 2 KiB. */
const MAX_ANSWER_OCTETS = 65_536
/** Milliseconds for name look-up, TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 3_000

/** What one POST needs. */
export interface StsPost {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** CA certificates in PEM, in place of Node's. */
  readonly ca: string | undefined
  readonly signal: AbortSignal
}

/** A whole answer. */
export interface StsHttpAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** The reader zeroes it. */
  readonly body: Buffer
}

/**
 * One POST over a connection of its own: no proxy, no redirect, TLS 1.2 or newer, at most 64 KiB of answer. Certificates are
 * verified whatever NODE_TLS_REJECT_UNAUTHORIZED says.
 *
 * @throws {StsError} `ERR_STS_UNREACHABLE`, `ERR_STS_UNTRUSTED`, `ERR_STS_RESPONSE`; anything when the signal has fired.
 */
export function postToSts({ url, headers, body, ca, signal }: StsPost): Promise<StsHttpAnswer> {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:'
    const common = {
      method: 'POST',
      headers: { ...headers, 'content-length': String(body.length) },
      agent: false,
      signal,
    }
    const req = secure
      ? httpsRequest(url, {
          ...common,
          minVersion: 'TLSv1.2',
          rejectUnauthorized: true,
          ...(ca === undefined ? {} : { ca }),
        })
      : httpRequest(url, common)
    const phase = watchPhase(req, secure)
    const fail = (error: StsError): void => {
      clearTimeout(timer)
      reject(error)
      req.destroy()
    }
    const timer = setTimeout(
      () => fail(new StsError('ERR_STS_UNREACHABLE', `no connection to ${url.host} within ${CONNECT_TIMEOUT_MS} ms`)),
      CONNECT_TIMEOUT_MS,
    )
    phase.onReady(() => clearTimeout(timer))
    const onError = (error: Error): void => fail(connectionError(error, phase.now(), url.host))
    req.on('error', onError)
    req.once('close', () => clearTimeout(timer))
    req.once('upgrade', (_, socket) => {
      socket.destroy()
      fail(new StsError('ERR_STS_RESPONSE', `${url.host} wants another protocol`))
    })
    req.once('response', (res) => {
      const chunks: Buffer[] = []
      let octets = 0
      res.on('data', (chunk: Buffer) => {
        octets += chunk.length
        chunks.push(chunk)
        if (octets > MAX_ANSWER_OCTETS) {
          fail(new StsError('ERR_STS_RESPONSE', `${url.host} answered with more than ${MAX_ANSWER_OCTETS} octets`))
        }
      })
      res.on('error', onError)
      res.once('end', () => {
        const whole = Buffer.concat(chunks)
        for (const chunk of chunks) chunk.fill(0)
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body: whole })
      })
    })
    req.end(body)
  })
}

type Phase = 'connecting' | 'handshake' | 'ready'

function watchPhase(req: ClientRequest, secure: boolean) {
  let phase: Phase = 'connecting'
  let ready = (): void => {}
  const become = (next: Phase) => () => {
    phase = next
    if (next === 'ready') ready()
  }
  req.once('socket', (socket) => {
    socket.once('connect', become(secure ? 'handshake' : 'ready'))
    if (secure) socket.once('secureConnect', become('ready'))
  })
  return {
    now: () => phase,
    onReady: (callback: () => void) => {
      ready = callback
    },
  }
}

/** The error of Node is left out: one of the HTTP parser holds the answer's octets. */
function connectionError(error: NodeJS.ErrnoException, phase: Phase, host: string): StsError {
  const code = error.code ?? 'unknown'
  if (phase === 'connecting') return new StsError('ERR_STS_UNREACHABLE', `can not connect to ${host} (${code})`)
  if (phase === 'handshake' && !BROKEN.has(code)) {
    return new StsError('ERR_STS_UNTRUSTED', `no trusted TLS connection to ${host} (${code})`)
  }
  if (code.startsWith('HPE_')) return new StsError('ERR_STS_RESPONSE', `${host} does not speak HTTP (${code})`)
  return new StsError('ERR_STS_UNREACHABLE', `the connection to ${host} broke (${code})`)
}

/** What a network does, rather than a server that is not the one we want. */
const BROKEN: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'ENETDOWN',
  'EHOSTUNREACH',
])
