import { X509Certificate } from 'node:crypto'

/** How to get to the service. */
export interface ConnectionInit {
  /** CA certificates in PEM that the service is verified with, in place of Node's. */
  ca?: string | Uint8Array | undefined
  /** `http://[user:password@]host:port`; CONNECT is sent there. Default: none, whatever the environment says. */
  proxy?: string | URL | undefined
}

/** {@link ConnectionInit} that was checked. */
export interface Connection {
  readonly ca: string | undefined
  readonly proxy: URL | undefined
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** @throws {TypeError} that names the option which can't be right; never with a proxy's password. */
export function checkConnection({ ca, proxy }: ConnectionInit): Connection {
  return {
    ca: ca === undefined ? undefined : certificatesOf(ca),
    proxy: proxy === undefined ? undefined : proxyOf(proxy),
  }
}

/** Nothing at all would mean Node's own, so it is refused. */
function certificatesOf(pem: string | Uint8Array): string {
  const text = typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1')
  const blocks = text.match(BLOCK)
  if (blocks === null || !blocks.every(isCertificate)) throw new TypeError('"ca" must be certificates in PEM')
  return blocks.join('\n')
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0
  } catch {
    return false
  }
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
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
