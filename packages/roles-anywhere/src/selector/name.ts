import { DER, derOid, derValue, readDer, readDerOne } from '../internal/der.ts'

/** One `type=value` of a distinguished name. */
export interface NameAttribute {
  /** Dotted: `2.5.4.3` */
  readonly oid: string
  /** Decoded, whatever string type it had. */
  readonly value: string
}

/** A distinguished name in the certificate's order: its RDNs, each of one attribute or more. */
export type Name = readonly (readonly NameAttribute[])[]

/**
 * Reads a Name from its DER.
 *
 * @throws {SyntaxError} where it is not one, or has a value that Go's crypto/x509 does not read either: UniversalString, characters
 *   that its string type does not have.
 * @see {@link https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.4 RFC 5280, section 4.1.2.4}
 */
export function parseName(der: Uint8Array): Name {
  return readDer(readDerOne(der, DER.sequence)).map((rdn) => readDer(derValue(rdn, DER.set)).map(attributeOf))
}

function attributeOf(element: ReturnType<typeof readDer>[number]): NameAttribute {
  const [type, value, ...rest] = readDer(derValue(element, DER.sequence))
  if (value === undefined || rest.length > 0) throw new SyntaxError('malformed name: an attribute is type and value')
  return { oid: derOid(derValue(type, DER.oid)), value: decodeString(value.tag, value.value) }
}

/**
 * Decodes one of the string types that names have. T61String is read as Latin-1, as Go and BoringSSL do.
 *
 * @throws {SyntaxError} on another type, or octets that it can't have.
 */
export function decodeString(tag: number, octets: Uint8Array): string {
  const decode = DECODERS.get(tag)
  if (decode === undefined) throw new SyntaxError(`malformed name: a value with tag ${tag}, which is no string`)
  const text = decode(octets)
  if (text === undefined) throw new SyntaxError(`malformed name: octets that a string with tag ${tag} can't have`)
  return text
}

type Decode = (octets: Uint8Array) => string | undefined

const DECODERS: ReadonlyMap<number, Decode> = new Map<number, Decode>([
  [0x0c, utf8],
  [0x12, latin1(/^[0-9 ]*$/)], // NumericString
  [0x13, latin1(/^[A-Za-z0-9 '()+,\-./:=?*&]*$/)], // PrintableString; * and & are not in it, but in certificates
  [0x14, latin1(/^/)], // T61String
  [0x16, latin1(/^\p{ASCII}*$/u)], // IA5String
  [0x1e, ucs2],
])

function latin1(allowed: RegExp): Decode {
  return (octets) => {
    const text = Buffer.from(octets).toString('latin1')
    return allowed.test(text) ? text : undefined
  }
}

function utf8(octets: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets)
  } catch {
    return undefined
  }
}

/** BMPString: the Basic Multilingual Plane alone, so neither surrogates nor what Unicode keeps unused. */
function ucs2(octets: Uint8Array): string | undefined {
  if (octets.length % 2 !== 0) return undefined
  const text = Buffer.from(octets).swap16().toString('utf16le')
  const ended = text.endsWith('\0') ? text.slice(0, -1) : text
  return /[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]/.test(ended) ? undefined : ended
}
