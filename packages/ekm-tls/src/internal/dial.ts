import { request as httpRequest } from 'node:http'
import { connect as netConnect, type Socket } from 'node:net'
import { deadlineError } from '../deadline.ts'
import { EkmTlsError } from '../errors.ts'

/** Host and port to open a TCP connection to. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Opens a TCP connection, straight or through a CONNECT proxy (RFC 9110 §9.3.6). */
export function dial(to: Address, proxy: URL | undefined, signal: AbortSignal): Promise<Socket> {
  return proxy === undefined ? dialDirect(to, signal) : dialProxy(to, proxy, signal)
}

function dialDirect(to: Address, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = netConnect({ host: to.host, port: to.port, noDelay: true })
    const settle = (): void => signal.removeEventListener('abort', onAbort)
    const onAbort = (): void => {
      socket.destroy()
      reject(deadlineError(signal, `connecting to ${to.host}:${to.port}`))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) return onAbort()
    socket.once('connect', () => {
      settle()
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.on('error', (cause) => {
      settle()
      reject(new EkmTlsError('ERR_EKM_UNREACHABLE', `cannot connect to ${to.host}:${to.port}`, { cause }))
    })
  })
}

function dialProxy(to: Address, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const authority = `${to.host.includes(':') ? `[${to.host}]` : to.host}:${to.port}`
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
    const fail = (error: EkmTlsError): void => {
      signal.removeEventListener('abort', onAbort)
      request.destroy()
      reject(error)
    }
    // Not the `signal` option: it would still hold the tunnel once it stands.
    const onAbort = (): void => fail(deadlineError(signal, `connecting through the proxy ${proxy.host}`))
    signal.addEventListener('abort', onAbort, { once: true })
    request.once('connect', (response, socket, head) => {
      if (response.statusCode !== 200 || head.length > 0) {
        socket.destroy()
        return fail(new EkmTlsError('ERR_EKM_PROXY', `the proxy ${proxy.host} did not CONNECT to ${authority}`))
      }
      signal.removeEventListener('abort', onAbort)
      resolve(socket)
    })
    request.once('response', (response) => {
      fail(new EkmTlsError('ERR_EKM_PROXY', `the proxy ${proxy.host} answered ${response.statusCode} to CONNECT`))
    })
    request.once('error', (cause) => {
      fail(new EkmTlsError('ERR_EKM_UNREACHABLE', `cannot connect to the proxy ${proxy.host}`, { cause }))
    })
    if (signal.aborted) onAbort()
    else request.end()
  })
}
