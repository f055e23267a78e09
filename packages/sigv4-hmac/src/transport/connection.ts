import { certificatesOf } from './certificates.ts'

/** How to get to the service. */
export interface ConnectionInit {
  /** CA certificates in PEM that the service is verified with, in place of Node's. */
  ca?: string | Uint8Array | undefined
  /**
   * `http://[user:password@]host:port`; CONNECT is sent there. Default: none, whatever the environment says. Endpoints at `http:` are
   * reached without it.
   */
  proxy?: string | URL | undefined
}

/** {@link ConnectionInit} that was checked. */
export interface Connection {
  readonly ca: string | undefined
  readonly proxy: URL | undefined
}

/**
 * Checks how to get to the service, before anything is sent.
 *
 * @throws {TypeError} that names the option which can't be right; never with a proxy's password.
 */
export function checkConnection({ ca, proxy }: ConnectionInit): Connection {
  return {
    ca: ca === undefined ? undefined : certificatesOf(ca),
    proxy: proxy === undefined ? undefined : proxyOf(proxy),
  }
}

function proxyOf(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined
  const plain = url?.protocol === 'http:' && url.hostname !== '' && url.pathname + url.search + url.hash === '/'
  if (url === undefined || !plain || !isDecodable(url.username + url.password)) {
    throw new TypeError('"proxy" must be a URL like http://proxy.example.com:3128')
  }
  return url
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
