import { OBJECT_CLASS } from './internal/ck.ts'
import { type Field, PATH_FIELDS, PATH_PLAIN, QUERY_FIELDS, QUERY_PLAIN } from './internal/uri-attributes.ts'
import type { Pkcs11Uri } from './uri.ts'

const MAX_LENGTH = 4096
const MAX_ATTRIBUTES = 64
const SCHEME = /^pkcs11:/i
const NAME = /^[A-Za-z0-9_-]{1,64}$/ // pk11-v-attr-nm-char, and all that the RFC defines
const VERSION = /^\d{1,3}(\.\d{1,3})?$/
const SLOT_ID = /^\d{1,19}$/

/**
 * Reads a PKCS #11 URI, strictly: characters that must be percent-encoded are, no attribute stands there twice (but vendors' in
 * the query may) or in the wrong part, text is UTF-8.
 *
 * @param text At most 4096 characters.
 * @throws {TypeError} naming the attribute that is wrong, never its value.
 * @see {@link https://www.rfc-editor.org/rfc/rfc7512#section-2.3 RFC 7512, section 2.3}
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (text.length > MAX_LENGTH)
    throw new TypeError(`a PKCS #11 URI of ${text.length} characters: at most ${MAX_LENGTH}`)
  if (!SCHEME.test(text)) throw new TypeError('a PKCS #11 URI begins with "pkcs11:"')
  const rest = text.slice('pkcs11:'.length)
  const mark = rest.indexOf('?') // a later one is part of a query attribute
  const path = attributes(mark < 0 ? rest : rest.slice(0, mark), ';', PATH_PLAIN)
  const query = attributes(mark < 0 ? '' : rest.slice(mark + 1), '&', QUERY_PLAIN)

  const fields: Record<string, unknown> = {}
  const vendorPath: Record<string, string> = {}
  for (const [name, value] of path) {
    const field = PATH_FIELDS.get(name)
    if (field === undefined ? Object.hasOwn(vendorPath, name) : field in fields) throw twice(name)
    if (field === undefined) define(vendorPath, asVendors(name), utf8(name, value))
    else fields[field] = fieldValue(field, name, value)
  }
  const vendorQuery: Record<string, string[]> = {}
  for (const [name, value] of query) {
    const field = QUERY_FIELDS.get(name)
    if (field !== undefined && field in fields) throw twice(name)
    if (field !== undefined) fields[field] = utf8(name, value)
    else if (Object.hasOwn(vendorQuery, name)) vendorQuery[name]?.push(utf8(name, value))
    else define(vendorQuery, asVendors(name), [utf8(name, value)])
  }
  if ('pinSource' in fields && 'pinValue' in fields)
    throw new TypeError('"pin-source" and "pin-value" exclude each other')
  return {
    ...fields,
    ...(Object.keys(vendorPath).length > 0 && { vendorPath }),
    ...(Object.keys(vendorQuery).length > 0 && { vendorQuery }),
  }
}

/** What only looks like a known attribute is no vendor's: least of all a PIN, which would be shown as theirs are. */
function asVendors(name: string): string {
  const known = name.toLowerCase()
  if (known.startsWith('pin')) {
    throw new TypeError('of "pin…" there are "pin-source" and "pin-value" alone, in small letters and after the "?"')
  }
  if (!PATH_FIELDS.has(known) && !QUERY_FIELDS.has(known)) return name
  const place = PATH_FIELDS.has(known) ? 'before' : 'after'
  throw new TypeError(`"${known}" is written in small letters, and ${place} the "?"`)
}

function attributes(text: string, separator: string, plain: RegExp): [name: string, value: Uint8Array][] {
  if (text === '') return []
  const parts = text.split(separator)
  if (parts.length > MAX_ATTRIBUTES) throw new TypeError(`a PKCS #11 URI has at most ${MAX_ATTRIBUTES} attributes`)
  return parts.map((part) => {
    const equals = part.indexOf('=')
    const name = part.slice(0, Math.max(equals, 0))
    if (!NAME.test(name)) throw new TypeError('a PKCS #11 URI has an attribute without a name')
    return [name, decode(name, part.slice(equals + 1), plain)]
  })
}

/** Percent-decoding to octets: `id` is not text. */
function decode(name: string, text: string, plain: RegExp): Uint8Array {
  const octets: number[] = []
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '%') {
      const digits = text.slice(at + 1, at + 3)
      if (!/^[0-9A-Fa-f]{2}$/.test(digits))
        throw new TypeError(`"${name}" has a "%" that no two hexadecimal digits follow`)
      octets.push(Number.parseInt(digits, 16))
      at += 2
    } else {
      if (!plain.test(character)) throw new TypeError(`"${name}" has a character that must be percent-encoded`)
      octets.push(character.charCodeAt(0))
    }
  }
  return Uint8Array.from(octets)
}

function fieldValue(field: Field, name: string, octets: Uint8Array): unknown {
  if (field === 'id') return octets
  const value = utf8(name, octets)
  if (field === 'type' && !Object.hasOwn(OBJECT_CLASS, value)) {
    throw new TypeError(`"type" must be one of ${Object.keys(OBJECT_CLASS).join(', ')}`)
  }
  if (field === 'libraryVersion' && !VERSION.test(value))
    throw new TypeError('"library-version" must look like 2 or 2.6')
  if (field !== 'slotId') return value
  if (!SLOT_ID.test(value) || !Number.isSafeInteger(Number(value)))
    throw new TypeError('"slot-id" must be a decimal number')
  return Number(value)
}

function utf8(name: string, octets: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets)
  } catch {
    throw new TypeError(`"${name}" is not UTF-8`)
  }
}

/** As `object[name] = value`, which would do something else for `__proto__`. */
function define<T>(object: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
}

const twice = (name: string): TypeError => new TypeError(`"${name}" stands there twice`)
