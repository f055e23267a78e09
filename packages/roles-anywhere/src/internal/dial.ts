import { request as httpRequest } from 'node:http'
import { isIP, connect as netConnect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { RolesAnywhereError } from '../errors.ts'

/** Where to, and whom to trust there. */
export interface DialInit {
  /** `https:`, or `http:` for a connection without TLS. */
  readonly origin: URL
  /** CA certificates in PEM, in place of Node's. */
  readonly ca: string | undefined
  /** `http:` proxy for `https:` origins. */
  readonly proxy: URL | undefined
  readonly signal: AbortSignal
}

/**
 * Opens a connection, with TLS 1.2 or newer for `https:`, straight or through a CONNECT proxy (RFC 9110 §9.3.6).
 * NODE_TLS_REJECT_UNAUTHORIZED has no say.
 *
 * @throws {RolesAnywhereError} `ERR_RA_UNREACHABLE`, `ERR_RA_UNTRUSTED`; the signal's reason.
 */
export async function dial(init: DialInit): Promise<Socket> {
  const { origin, ca, proxy, signal } = init
  const secure = origin.protocol === 'https:'
  const host = origin.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = origin.port === '' ? (secure ? 443 : 80) : Number(origin.port)
  const unreachable = (error: NodeJS.ErrnoException): RolesAnywhereError =>
    new RolesAnywhereError('ERR_RA_UNREACHABLE', `can not connect to ${origin.host} (${codeOf(error)})`)
  if (!secure) return ready(netConnect({ host, port, noDelay: true }), 'connect', { signal, explain: unreachable })

  const tunnel = proxy === undefined ? undefined : await openTunnel(`${origin.hostname}:${port}`, proxy, signal)
  const socket = tlsConnect({
    host,
    port,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(tunnel === undefined ? {} : { socket: tunnel }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
  })
  let connected = tunnel !== undefined
  socket.once('connect', () => {
    connected = true
  })
  return ready(socket, 'secureConnect', {
    signal,
    explain: (error) =>
      connected && !BROKEN.has(codeOf(error))
        ? new RolesAnywhereError(
            'ERR_RA_UNTRUSTED',
            `no trusted TLS connection to ${origin.host} (${codeOf(error)}): if a proxy or a private endpoint has a CA of its own, give it as "ca"`,
          )
        : unreachable(error),
  })
}

function openTunnel(authority: string, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const failed = (what: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_RA_UNREACHABLE', `the proxy ${proxy.host} ${what}`)
  const headers: Record<string, string> = { host: authority }
  if (proxy.username !== '') {
    const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
    headers['proxy-authorization'] = `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: proxy.port === '' ? 80 : Number(proxy.port),
      method: 'CONNECT',
      path: authority,
      headers,
      agent: false,
    })
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', onAbort)
      request.destroy()
      reject(error)
    }
    // Not the `signal` option: it would still hold the tunnel once it stands.
    const onAbort = (): void => fail(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    request.once('connect', (response, socket, head) => {
      if (response.statusCode !== 200 || head.length > 0) {
        socket.destroy()
        return fail(failed(`answered ${response.statusCode} to CONNECT ${authority}`))
      }
      signal.removeEventListener('abort', onAbort)
      socket.on('error', () => {}) // until TLS listens
      resolve(socket)
    })
    request.once('response', (response) => fail(failed(`answered ${response.statusCode} to CONNECT ${authority}`)))
    request.on('error', (error) => fail(failed(`does not answer (${codeOf(error)})`)))
    if (signal.aborted) onAbort()
    else request.end()
  })
}

/** Waits for a socket. It keeps a listener for errors, as nobody else may have one yet. */
function ready(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  { signal, explain }: { signal: AbortSignal; explain: (error: NodeJS.ErrnoException) => Error },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      socket.destroy()
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    socket.once(event, () => {
      signal.removeEventListener('abort', onAbort)
      resolve(socket)
    })
    socket.on('error', (error) => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(explain(error))
    })
  })
}

const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? 'unknown'

/** What a network does, rather than a server that is not the one we want. */
const BROKEN: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'ENETDOWN',
  'EHOSTUNREACH',
])
