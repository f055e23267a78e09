import { isIP, connect as netConnect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import type { PostInit } from './load-post.ts'
import { codeOf, openTunnel } from './tunnel.ts'

/** Where to, and whom to trust there. */
export type DialInit = Pick<PostInit, 'origin' | 'ca' | 'proxy' | 'signal' | 'errorOf'>

/**
 * Opens a connection, straight or through a proxy.
 *
 * @param init.signal Is for that alone.
 * @throws what `errorOf` makes; anything once the signal has fired.
 */
export async function dial(init: DialInit): Promise<Socket> {
  const { origin, ca, proxy, signal, errorOf } = init
  const secure = origin.protocol === 'https:'
  const host = origin.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = origin.port === '' ? (secure ? 443 : 80) : Number(origin.port)
  const unreachable = (error: NodeJS.ErrnoException): Error =>
    errorOf('unreachable', `can not connect to ${origin.host} (${codeOf(error)})`)
  if (!secure) return ready(netConnect({ host, port, noDelay: true }), 'connect', { signal, explain: unreachable })

  const tunnel = proxy && (await openTunnel(`${origin.hostname}:${port}`, { proxy, signal, errorOf }))
  const socket = tlsConnect({
    host,
    port,
    ALPNProtocols: ['http/1.1'],
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
        ? errorOf('untrusted', `no trusted TLS connection to ${origin.host} (${codeOf(error)})`)
        : unreachable(error),
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

/** What a network does, rather than a server that is not the one we want. */
const BROKEN: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'ENETDOWN',
  'EHOSTUNREACH',
])
