import { PATH_FIELDS, PATH_WRITTEN, QUERY_FIELDS, QUERY_WRITTEN } from './internal/uri-attributes.ts'
import type { Pkcs11Uri } from './uri.ts'

/**
 * Writes a PKCS #11 URI. The PIN is left out unless asked for, so that what is printed or logged has none.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7512#section-2.3 RFC 7512, section 2.3}
 */
export function formatPkcs11Uri(uri: Pkcs11Uri, { dangerouslyShowPin = false } = {}): string {
  const path: string[] = []
  for (const [name, field] of PATH_FIELDS) {
    const value = uri[field]
    if (value === undefined) continue
    path.push(`${name}=${field === 'id' ? everyOctet(value as Uint8Array) : encode(String(value), PATH_WRITTEN)}`)
  }
  for (const [name, value] of Object.entries(uri.vendorPath ?? {})) path.push(`${name}=${encode(value, PATH_WRITTEN)}`)

  const query: string[] = []
  for (const [name, field] of QUERY_FIELDS) {
    const value = uri[field]
    if (value === undefined || (field === 'pinValue' && !dangerouslyShowPin)) continue
    query.push(`${name}=${encode(String(value), QUERY_WRITTEN)}`)
  }
  for (const [name, values] of Object.entries(uri.vendorQuery ?? {})) {
    query.push(...values.map((value) => `${name}=${encode(value, QUERY_WRITTEN)}`))
  }
  return `pkcs11:${path.join(';')}${query.length > 0 ? `?${query.join('&')}` : ''}`
}

function encode(text: string, plain: RegExp): string {
  let out = ''
  for (const octet of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(octet)
    out += octet < 0x80 && plain.test(character) ? character : percent(octet)
  }
  return out
}

const everyOctet = (octets: Uint8Array): string => Array.from(octets, percent).join('')
const percent = (octet: number): string => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
