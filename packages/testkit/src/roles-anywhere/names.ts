import type { Certificate } from './certificate.ts'
import { childrenOf, contentOf, type Der, oidOf, readDer, TAG } from './der.ts'

/** One attribute of a Name: `CN`, or a dotted OID where there is no short name. */
export interface Attribute {
  readonly type: string
  readonly value: string
}

/** Names that may stand in a certificate instead of, or beside, its subject. First of each kind. */
export interface AlternativeNames {
  readonly dns: string | undefined
  readonly uri: string | undefined
  readonly directory: readonly Attribute[]
}

const TYPES = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.5', 'SERIALNUMBER'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.12', 'T'],
  ['2.5.4.4', 'SN'],
  ['2.5.4.42', 'GN'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
  ['1.2.840.113549.1.9.1', 'E'],
])
const BMP_STRING = 0x1e
const UTF8_STRING = 0x0c

/** Attributes of a Name (DER), in the order of the certificate. */
export const attributesOf = (name: Buffer): Attribute[] =>
  childrenOf(readDer(name)[0])
    .flatMap((rdn) => childrenOf(rdn, 0x31))
    .map((attribute) => {
      const [type, value] = childrenOf(attribute)
      const oid = oidOf(type)
      return { type: TYPES.get(oid) ?? oid, value: textOf(value) }
    })

/** `CN=worked.example,OU=Two`: last attribute first, as RFC 4514 §2.1 has it. */
export const nameText = (name: Buffer): string =>
  attributesOf(name)
    .reverse()
    .map(({ type, value }) => `${type}=${value.replace(/[,+"\\<>;]|^[ #]| $/g, '\\$&')}`)
    .join(',')

/** subjectAltName (RFC 5280 §4.2.1.6). */
export function alternativeNames({ extensions }: Certificate): AlternativeNames {
  const value = extensions.get('2.5.29.17')
  const names = value === undefined ? [] : childrenOf(readDer(value)[0])
  const first = (tag: number): Buffer | undefined => names.find((name) => name.tag === tag)?.content
  const directory = first(0xa4)
  return {
    dns: first(0x82)?.toString('latin1'),
    uri: first(0x86)?.toString('latin1'),
    directory: directory === undefined ? [] : attributesOf(directory),
  }
}

function textOf(der: Der | undefined): string {
  const content = contentOf(der, der?.tag ?? TAG.sequence)
  if (der?.tag === BMP_STRING) return Buffer.from(content).swap16().toString('utf16le')
  return content.toString(der?.tag === UTF8_STRING ? 'utf8' : 'latin1')
}
