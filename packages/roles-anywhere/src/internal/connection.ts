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

/** To parse all of a system's bundle takes longer than all else that a `credential_process` does; OpenSSL does it anyway, and trusts nobody then. */
const A_FEW = 16
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
  const isGood = (blocks?.length ?? 0) > A_FEW ? isElement : isCertificate
  if (blocks === null || !blocks.every(isGood)) throw new TypeError('"ca" must be certificates in PEM')
  return blocks.join('\n')
}

/** One whole SEQUENCE in DER. */
function isElement(block: string): boolean {
  const der = Buffer.from(block.replace(/-----[A-Z ]+-----/g, ''), 'base64')
  return der.length > 4 && der[0] === 0x30 && der[1] === 0x82 && der.length === 4 + der.readUInt16BE(2)
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
