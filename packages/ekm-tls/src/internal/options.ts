import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { EkmConnectInit } from '../connect.ts'
import type { Address } from './dial.ts'

/** {@link EkmConnectInit}, checked once. */
export interface ConnectPlan {
  readonly url: URL
  readonly dialTo: Address
  /** Name in the certificate; also the SNI unless it is an IP address (RFC 6066 §3). */
  readonly serverName: string
  readonly sni: string
  readonly pins: readonly Buffer[]
  readonly proxy: URL | undefined
}

/** Checks what the caller gave, before anything is sent. Throws `TypeError` naming the field. */
export function planConnection(init: EkmConnectInit): ConnectPlan {
  if (typeof init !== 'object' || init === null) throw new TypeError('connection options are required')
  const url = parseUrl(init.url)
  if ((init.ca === undefined || init.ca.length === 0) && (init.spkiPins === undefined || init.spkiPins.length === 0)) {
    throw new TypeError('"ca" or "spkiPins" is required: the server must be pinned')
  }
  if ((init.cert === undefined) !== (init.key === undefined)) throw new TypeError('"cert" and "key" go together')
  if (init.cert !== undefined) assertPair(init)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const serverName = init.serverName ?? host
  return {
    url,
    dialTo: init.address === undefined ? { host, port: portOf(url) } : parseAddress(init.address),
    serverName,
    sni: isIP(serverName) === 0 ? serverName : '',
    pins: (init.spkiPins ?? []).map(parseSpkiPin),
    proxy: init.proxy === undefined ? undefined : parseProxy(init.proxy),
  }
}

/** A client certificate that can't be used is found late, on a connection that then waits for an answer. */
function assertPair({ cert, key, passphrase }: EkmConnectInit): void {
  try {
    createSecureContext({ cert, key, ...(passphrase === undefined ? {} : { passphrase }) })
  } catch {
    throw new TypeError('"cert" and "key" must be a certificate and its private key, PEM')
  }
}

function parseUrl(value: string | URL): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : value
  if (!(url instanceof URL) || url.protocol !== 'https:') throw new TypeError('"url" must begin with https://')
  if (url.username !== '' || url.password !== '') throw new TypeError('"url" must not hold a user or a password')
  if (url.port === '0') throw new TypeError('"url" must not name port 0')
  return url
}

const portOf = (url: URL): number => (url.port === '' ? 443 : Number(url.port))

function parseAddress(value: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || !(port >= 1 && port <= 65_535)) throw new TypeError('"address" must be host:port')
  return { host, port }
}

/** `sha256/` or `sha256//` and base64 as in RFC 7469 and curl, or 64 hex digits. */
function parseSpkiPin(value: string): Buffer {
  if (/^[0-9a-fA-F]{64}$/.test(value)) return Buffer.from(value, 'hex')
  const base64 = /^sha256\/{1,2}([A-Za-z0-9+/]{43}=)$/.exec(value)?.[1]
  if (base64 === undefined) throw new TypeError('"spkiPins" are sha256/<base64> or 64 hex digits')
  return Buffer.from(base64, 'base64')
}

function parseProxy(value: string | URL): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : value
  if (!(url instanceof URL) || url.protocol !== 'http:') throw new TypeError('"proxy" must begin with http://')
  return url
}
