import { timingSafeEqual } from 'node:crypto'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { type Channel, captureChannel } from './channel.ts'
import { deadlineError, withDeadline } from './deadline.ts'
import { EkmTlsError } from './errors.ts'
import type { Exporter } from './exporter.ts'
import { requestOn, transferError } from './http.ts'
import { dial } from './internal/dial.ts'
import { type ConnectPlan, planConnection } from './internal/options.ts'

/** Where to connect, and whom to trust there. */
export interface EkmConnectInit {
  /** `https://host[:port]`; a path is kept for requests. Its host is the `Host` header and, unless told otherwise, the name checked. */
  url: string | URL
  /** `host:port` to dial instead of the URL's; for tests, tunnels and split DNS. */
  address?: string
  /** SNI, and the name the certificate must be for. Default: the URL's host. */
  serverName?: string
  /** PEM certificates of the authorities the server's certificate must chain to. The system's are never used. */
  ca?: string | Buffer | readonly (string | Buffer)[]
  /**
   * SHA-256 of the server's SubjectPublicKeyInfo, one must match: `sha256/<base64>` (RFC 7469 §2.4) or 64 hex digits.
   * Without `ca` the pin alone is the identity: chain, name and dates are not looked at.
   */
  spkiPins?: readonly string[]
  /** Client certificate chain and key, PEM, for mutual TLS. Binding v2 commits to it: the server must ask for it. */
  cert?: string | Buffer
  key?: string | Buffer
  passphrase?: string
  /** `http://[user:password@]host:port` of a CONNECT proxy. Environment variables are not looked at. */
  proxy?: string | URL
  /** What to export. Default: RFC 9266 `tls-exporter`. */
  exporter?: Exporter
  /** For TCP, proxy and handshake together, in milliseconds. Default: 10 000. */
  timeoutMs?: number
  signal?: AbortSignal
}

/** What to send. */
export interface EkmRequest {
  /** Default: `POST`. */
  method?: string
  /** Default: the path of the URL. */
  path?: string
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array
  /** From the first octet sent to the last received, in milliseconds. Default: 15 000. */
  timeoutMs?: number
  /** Default: 65 536. */
  maxResponseBytes?: number
  signal?: AbortSignal
}

/** What came back; redirects are answers like any other. */
export interface EkmResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** A connection for one request. */
export interface EkmConnection {
  /** Taken when the handshake ended. */
  readonly channel: Channel
  /** Sends one request over this very socket. A second call is refused with `ERR_EKM_CLOSED`. */
  request(request: EkmRequest): Promise<EkmResponse>
  /** Ends the socket and zeroes the keying material. A second call does nothing. */
  close(): void
}

/**
 * Checks what would be given to {@link connectEkm}, without connecting; for factories that connect later.
 *
 * @throws {TypeError} naming the option that can't be right.
 */
export function assertConnectInit(init: EkmConnectInit): void {
  planConnection(init)
}

/**
 * Opens a TLS 1.3 connection to a pinned server and takes its keying material on the very socket the request goes over.
 *
 * @throws {TypeError} on an option that can't be right, before anything is sent.
 * @throws {EkmTlsError} on everything the network and the server can do.
 */
export async function connectEkm(init: EkmConnectInit): Promise<EkmConnection> {
  const plan = planConnection(init)
  const deadline = {
    timeoutMs: init.timeoutMs ?? 10_000,
    signal: init.signal,
    doing: `connecting to ${plan.serverName}`,
  }
  return withDeadline(deadline, async (signal) => {
    const tcp = await dial(plan.dialTo, plan.proxy, signal)
    const socket = await handshake(plan, init, tcp, signal)
    try {
      const channel = captureChannel(socket, 'client', init.exporter)
      assertPin(channel, plan.pins)
      return connection(plan, socket, channel)
    } catch (error) {
      socket.destroy()
      throw error
    }
  })
}

function handshake(
  plan: ConnectPlan,
  init: EkmConnectInit,
  tcp: import('node:net').Socket,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      socket: tcp,
      host: plan.serverName,
      servername: plan.sni,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      // With a pin and no CA there is no chain to check: assertPin is the check.
      rejectUnauthorized: init.ca !== undefined,
      ...(init.ca === undefined
        ? {}
        : { ca: typeof init.ca === 'string' || Buffer.isBuffer(init.ca) ? init.ca : [...init.ca] }),
      ...(init.cert === undefined ? {} : { cert: init.cert, key: init.key }),
      ...(init.passphrase === undefined ? {} : { passphrase: init.passphrase }),
    })
    const fail = (error: EkmTlsError): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(deadlineError(signal, `shaking hands with ${plan.serverName}`))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', (cause: Error) => fail(handshakeError(socket, plan, cause)))
    socket.once('close', () => fail(new EkmTlsError('ERR_EKM_TLS', `${plan.serverName} ended the handshake`)))
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', onAbort)
      socket.removeAllListeners('error').removeAllListeners('close')
      resolve(socket)
    })
    if (signal.aborted) onAbort()
  })
}

function handshakeError(socket: TLSSocket, plan: ConnectPlan, cause: Error): EkmTlsError {
  if (socket.authorizationError) {
    return new EkmTlsError('ERR_EKM_UNTRUSTED', `the certificate of ${plan.serverName} is not trusted`, { cause })
  }
  const code = 'code' in cause ? String(cause.code) : ''
  if (code.includes('PROTOCOL_VERSION')) {
    return new EkmTlsError('ERR_EKM_PROTOCOL_VERSION', `${plan.serverName} does not speak TLS 1.3`, { cause })
  }
  if (code.includes('NO_APPLICATION_PROTOCOL')) {
    return new EkmTlsError('ERR_EKM_ALPN', `${plan.serverName} does not speak HTTP/1.1`, { cause })
  }
  return new EkmTlsError('ERR_EKM_TLS', `the TLS handshake with ${plan.serverName} failed`, { cause })
}

function assertPin(channel: Channel, pins: readonly Buffer[]): void {
  if (pins.length > 0 && !pins.some((pin) => timingSafeEqual(pin, channel.serverSpkiSha256))) {
    throw new EkmTlsError('ERR_EKM_UNTRUSTED', "the server's key is none of the pinned ones")
  }
}

function connection(plan: ConnectPlan, socket: TLSSocket, channel: Channel): EkmConnection {
  let used = false
  let broken: Error | undefined
  // Under TLS 1.3 a server refuses a client's certificate only after the client's handshake is over.
  socket.on('error', (error: Error) => {
    broken ??= error
  })
  return {
    channel,
    async request(request) {
      if (used) throw new EkmTlsError('ERR_EKM_CLOSED', 'the connection serves one request')
      used = true
      if (socket.destroyed) throw transferError(broken)
      return requestOn(socket, plan.url, request, () => broken)
    },
    close() {
      used = true
      socket.destroy()
      channel.ekm.fill(0)
    },
  }
}
