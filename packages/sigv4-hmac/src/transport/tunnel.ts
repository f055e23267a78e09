import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { PostInit } from './load-post.ts'

/**
 * Opens a connection to `host:port` through a proxy (RFC 9110 §9.3.6).
 *
 * @param to.signal Is for that alone: fired later, it would end the tunnel.
 * @throws what `errorOf` makes.
 */
export function openTunnel(
  authority: string,
  { proxy, signal, errorOf }: Pick<PostInit, 'signal' | 'errorOf'> & { proxy: URL },
): Promise<Socket> {
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
      signal,
    })
    const fail = (what: string): void => {
      reject(errorOf('unreachable', `the proxy ${proxy.host} ${what}`))
      request.destroy()
    }
    // Whatever the status is: Node takes no answer to CONNECT for an ordinary one.
    request.once('connect', (response, socket, head) => {
      if (response.statusCode !== 200 || head.length > 0) {
        socket.destroy()
        return fail(`answered ${response.statusCode} to CONNECT ${authority}`)
      }
      socket.on('error', () => {}) // until TLS listens
      resolve(socket)
    })
    request.on('error', (error) => fail(`does not answer (${codeOf(error)})`))
    request.end()
  })
}

export const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? 'unknown'
