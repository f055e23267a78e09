import { RolesAnywhereError } from '../errors.ts'
import { readDer } from '../internal/der.ts'
import { decodeString, type Name, type NameAttribute } from './name.ts'

/** Names of attribute types, in capitals: RFC 4519, RFC 2985, and what OpenSSL and Windows write. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['CN', '2.5.4.3'],
  ['COMMONNAME', '2.5.4.3'],
  ['SN', '2.5.4.4'],
  ['SURNAME', '2.5.4.4'],
  ['SERIALNUMBER', '2.5.4.5'],
  ['C', '2.5.4.6'],
  ['L', '2.5.4.7'],
  ['ST', '2.5.4.8'],
  ['S', '2.5.4.8'],
  ['STREET', '2.5.4.9'],
  ['O', '2.5.4.10'],
  ['OU', '2.5.4.11'],
  ['T', '2.5.4.12'],
  ['TITLE', '2.5.4.12'],
  ['DESCRIPTION', '2.5.4.13'],
  ['BUSINESSCATEGORY', '2.5.4.15'],
  ['POSTALCODE', '2.5.4.17'],
  ['NAME', '2.5.4.41'],
  ['G', '2.5.4.42'],
  ['GN', '2.5.4.42'],
  ['GIVENNAME', '2.5.4.42'],
  ['INITIALS', '2.5.4.43'],
  ['GENERATIONQUALIFIER', '2.5.4.44'],
  ['DNQUALIFIER', '2.5.4.46'],
  ['PSEUDONYM', '2.5.4.65'],
  ['ORGANIZATIONIDENTIFIER', '2.5.4.97'],
  ['E', '1.2.840.113549.1.9.1'],
  ['EMAIL', '1.2.840.113549.1.9.1'],
  ['EMAILADDRESS', '1.2.840.113549.1.9.1'],
  ['DC', '0.9.2342.19200300.100.1.25'],
  ['UID', '0.9.2342.19200300.100.1.1'],
  ['USERID', '0.9.2342.19200300.100.1.1'],
])

const TYPE = /\s*(?:oid\.)?([a-z][a-z0-9-]*|\d+(?:\.\d+)+)\s*= */iy
const HEX = /#((?:[0-9a-f]{2})+) */iy
const QUOTED = /"((?:[^"\\]|\\.)*)" */sy
/** Spaces count only where something follows them. */
const PLAIN = /((?:[^,+"\\<>; ]|\\.| +(?=[^ ,+]))*) */sy
const ESCAPED = /(?:\\[0-9a-f]{2})+|\\(.)/gis

/**
 * Reads a distinguished name as people write it, in the order in which it stands there: what RFC 4514, Go, OpenSSL (`CN = a, O = b`)
 * and Windows print. Types are dotted or by name in any case (`E`, `DC` and `UID` too), values plain, in quotes or `#` with DER.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`
 * @see {@link https://www.rfc-editor.org/rfc/rfc4514#section-3 RFC 4514, section 3}
 */
export function parseDn(text: string): Name {
  const rdns: NameAttribute[][] = []
  let joined = false
  for (let at = 0; at < text.length; ) {
    const [attribute, end] = attributeAt(text, at)
    if (joined) rdns.at(-1)?.push(attribute)
    else rdns.push([attribute])
    const separator = text[end]
    if (separator === undefined) return rdns
    if ((separator !== ',' && separator !== '+') || end + 1 === text.length) refuse(text, end)
    joined = separator === '+'
    at = end + 1
  }
  return rdns
}

function attributeAt(text: string, at: number): [attribute: NameAttribute, end: number] {
  const type = match(TYPE, text, at)
  const name = type?.[1] ?? refuse(text, at)
  const oid = /^\d/.test(name) ? name : (TYPES.get(name.toUpperCase()) ?? refuse(text, at, `unknown type ${name}`))
  const start = TYPE.lastIndex
  const fail = (): never => refuse(text, start)
  if (text[start] === '#') {
    const hex = match(HEX, text, start)?.[1] ?? fail()
    return [{ oid, value: fromDer(hex) ?? fail() }, HEX.lastIndex]
  }
  const form = text[start] === '"' ? QUOTED : PLAIN
  const raw = match(form, text, start)?.[1] ?? fail()
  return [{ oid, value: unescaped(raw, fail) }, form.lastIndex]
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

function fromDer(hex: string): string | undefined {
  try {
    const [value, ...rest] = readDer(Buffer.from(hex, 'hex'))
    return value === undefined || rest.length > 0 ? undefined : decodeString(value.tag, value.value)
  } catch {
    return undefined
  }
}

function unescaped(raw: string, fail: () => never): string {
  return raw.replace(ESCAPED, (octets: string, character?: string) => {
    if (character === undefined) return fromUtf8(octets) ?? fail()
    return ' ,+"\\<>;=#'.includes(character) ? character : fail()
  })
}

function fromUtf8(octets: string): string | undefined {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    return decoder.decode(Buffer.from(octets.replaceAll('\\', ''), 'hex'))
  } catch {
    return undefined
  }
}

function refuse(text: string, at: number, why = `not "type=value" in RFC 4514's form`): never {
  throw new RolesAnywhereError(
    'ERR_RA_SELECTOR',
    `the distinguished name can't be read at character ${at + 1}: ${why} (${JSON.stringify(text.slice(at, at + 24))})`,
  )
}
