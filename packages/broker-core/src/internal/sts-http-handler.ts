import http from 'node:http'
import https from 'node:https'
import { BrokerError } from '../errors.ts'
import { readStsAnswer } from './sts-answer-text.ts'
import { type StsCall, StsTransportError } from './sts-call.ts'

/** Octets of an answer that are read at most; a real one has about 2 KiB. */
const MAX_ANSWER_OCTETS = 65_536
/** Milliseconds a given-up attempt may still answer, for the sake of the audit log. */
const LATE_ANSWER_MS = 30_000
const NOTHING = new Uint8Array(0)

interface SdkRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: unknown
}

interface SdkResponse {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: Uint8Array
}

export interface StsHttpHandlerInit {
  readonly attemptTimeoutMs: number
  readonly connectTimeoutMs: number
  /** CA certificates in PEM, in place of Node's. */
  readonly ca: string | undefined
}

/**
 * The HTTP handler of the STS clients. One attempt has a deadline, an answer has a bound and is read by
 * {@link readStsAnswer} before the SDK's XML parser sees it, and no environment variable names a proxy.
 * Rejects with {@link StsTransportError}, or `upstream_rejected` (`upstream.format`).
 */
export function createStsHttpHandler(init: StsHttpHandlerInit) {
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true, minVersion: 'TLSv1.2', ca: init.ca }),
  }
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async (request: SdkRequest, call: StsCall): Promise<{ response: SdkResponse }> => {
      if (call.abortSignal.aborted) throw new StsTransportError('connect', false)
      call.attempts++
      const agent = request.protocol === 'http:' ? agents['http:'] : agents['https:']
      return { response: await attempt(request, call, agent, init) }
    },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
    destroy: () => {
      agents['http:'].destroy()
      agents['https:'].destroy()
    },
  }
}

function attempt(
  request: SdkRequest,
  call: StsCall,
  agent: http.Agent,
  { attemptTimeoutMs, connectTimeoutMs }: StsHttpHandlerInit,
): Promise<SdkResponse> {
  return new Promise((resolve, reject) => {
    const { abortSignal } = call
    let connected = false
    const { hostname, port, path, method } = request
    const headers = { ...request.headers, 'user-agent': 'hardbound-broker' } // CloudTrail shows it
    const send = request.protocol === 'http:' ? http.request : https.request
    const req = send({ host: hostname.replace(/^\[|\]$/g, ''), port, path, method, headers, agent })

    const timer = setTimeout(() => giveUp(connected ? 'timeout' : 'connect'), attemptTimeoutMs)
    const connectTimer = setTimeout(() => giveUp('connect'), connectTimeoutMs)
    let lateTimer: NodeJS.Timeout | undefined
    const settle = () => {
      clearTimeout(timer)
      clearTimeout(connectTimer)
      abortSignal.removeEventListener('abort', onAbort)
    }
    const fail = (error: Error) => {
      settle()
      reject(error)
      req.destroy()
    }
    const giveUp = (kind: 'connect' | 'timeout') => {
      if (kind === 'connect') return fail(new StsTransportError(kind, !call.canFailOver))
      settle()
      reject(new StsTransportError(kind, true))
      lateTimer = setTimeout(() => req.destroy(), LATE_ANSWER_MS).unref()
    }
    const onAbort = () => {
      if (connected && abortSignal.reason === 'deadline') giveUp('timeout')
      else fail(new StsTransportError(connected ? 'timeout' : 'connect', false))
    }
    abortSignal.addEventListener('abort', onAbort)

    const onConnected = () => {
      connected = true
      clearTimeout(connectTimer)
    }
    req.once('socket', (socket) => {
      if (req.reusedSocket) onConnected()
      else socket.once(request.protocol === 'http:' ? 'connect' : 'secureConnect', onConnected)
    })
    req.on('error', () => {
      const retry = connected || !call.canFailOver
      fail(new StsTransportError(connected ? 'reset' : 'connect', retry))
    })
    req.once('close', () => clearTimeout(lateTimer))
    req.once('response', (res) => {
      const chunks: Buffer[] = []
      let octets = 0
      res.on('data', (chunk: Buffer) => {
        octets += chunk.length
        if (octets > MAX_ANSWER_OCTETS) fail(new BrokerError('upstream_rejected', 'upstream.format'))
        else chunks.push(chunk)
      })
      res.on('error', () => fail(new StsTransportError('reset', true)))
      res.once('end', () => {
        settle()
        const answer = readAnswer(res, Buffer.concat(chunks), call)
        if (lateTimer !== undefined) {
          if (answer?.statusCode === 200) call.onLateAnswer(Buffer.from(answer.body).toString())
        } else if (answer === undefined) reject(new BrokerError('upstream_rejected', 'upstream.format'))
        else resolve(answer)
      })
    })
    req.end(request.body)
  })
}

/** `undefined`: a 200 that isn't what was asked for. An error that can't be read keeps its status alone. */
function readAnswer(res: http.IncomingMessage, octets: Buffer, call: StsCall): SdkResponse | undefined {
  const statusCode = res.statusCode ?? 0
  const requestId = res.headers['x-amzn-requestid']
  const retryAfter = res.headers['retry-after']
  if (retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter)) call.retryAfterSeconds = Number(retryAfter)
  const headers: Record<string, string> = {} // no `Date`: the SDK would sign for the time that it says
  if (typeof requestId === 'string' && /^[\w-]{1,128}$/.test(requestId)) headers['x-amzn-requestid'] = requestId
  const text = readStsAnswer(octets, statusCode === 200 ? `${call.action}Response` : 'ErrorResponse')
  if (statusCode === 200) return text === undefined ? undefined : { statusCode, headers, body: Buffer.from(text) }
  return { statusCode, headers, body: text === undefined ? NOTHING : Buffer.from(text) }
}
