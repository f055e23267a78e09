import type { IncomingMessage } from 'node:http'
import { Refusal } from './refusal.ts'

/** Hop by hop traces of a proxy. An SSRF hole in one is how metadata services were robbed before. */
const FORWARDED = /^(?:forwarded|via|x-real-ip|x-forwarded-.*)$/

/**
 * What no endpoint answers, whoever asks: other hosts' names, web pages, proxies, bodies, other protocols.
 * @param authorities Values of Host that are ours, in lower case.
 * @throws {Refusal}
 */
export function assertLocalRequest(request: IncomingMessage, authorities: ReadonlySet<string>): void {
  const { rawHeaders } = request
  let hosts = 0
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const value = rawHeaders[i + 1]!
    if (name === 'host') {
      hosts++
      if (!authorities.has(value.toLowerCase())) throw new Refusal(403, 'host', 'this host is not served here')
    } else if (name === 'origin' || name === 'referer' || (name.startsWith('sec-fetch-') && !isHarmless(name, value))) {
      throw new Refusal(403, 'browser', 'web pages are not served')
    } else if (FORWARDED.test(name)) {
      throw new Refusal(403, 'forwarded', 'requests through a proxy are not served')
    } else if (name === 'upgrade') {
      throw new Refusal(400, 'malformed', 'there is no other protocol here')
    }
  }
  if (hosts !== 1) throw new Refusal(403, 'host', 'one Host header is needed')
}

/** @throws {Refusal} 400 where a body follows. No endpoint takes one, and it is not read. */
export function assertNoBody({ headers }: IncomingMessage): void {
  const length = headers['content-length']
  if (headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) return
  throw new Refusal(400, 'body', 'a body is not taken')
}

/**
 * `none` is an address typed by a person. `sec-fetch-mode: cors` alone is Node's own `fetch`: browsers send
 * `sec-fetch-site` along (Fetch Metadata §3), which then refuses.
 */
function isHarmless(name: string, value: string): boolean {
  return value === 'none' || (name === 'sec-fetch-mode' && value === 'cors')
}

/** Values of Host that mean this server. Port 80 is left out by clients (RFC 9110 §7.2). */
export function authoritiesOf(host: string, port: number): ReadonlySet<string> {
  const names = new Set([host.includes(':') ? `[${host}]` : host, '127.0.0.1', 'localhost', '[::1]'])
  return new Set([...names].flatMap((it) => (port === 80 ? [it, `${it}:80`] : [`${it}:${port}`])))
}
