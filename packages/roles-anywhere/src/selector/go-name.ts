import type { Name, NameAttribute } from './name.ts'

/** In the order in which Go prints them, whatever the certificate's is. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  ['2.5.4.5', 'SERIALNUMBER'],
  ['2.5.4.3', 'CN'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.10', 'O'],
  ['2.5.4.17', 'POSTALCODE'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.6', 'C'],
])
const LAST_ONLY: ReadonlySet<string> = new Set(['2.5.4.5', '2.5.4.3'])

/**
 * Writes a name exactly as Go's `pkix.Name.String()` does, which is what selectors of `aws_signing_helper` are compared with: nine
 * known types first, values of one type together, then the others backwards, in hexadecimal. It does not say everything: of several
 * common names only the last is there.
 *
 * @see {@link https://pkg.go.dev/crypto/x509/pkix#Name.String crypto/x509/pkix}
 */
export function goNameText(name: Name): string {
  const attributes = name.flat()
  const rdns: string[] = []
  for (const [oid, type] of KNOWN) {
    const values = attributes.filter((it) => it.oid === oid).map((it) => it.value)
    const kept = LAST_ONLY.has(oid) ? values.slice(-1).filter((it) => it !== '') : values
    if (kept.length > 0) rdns.push(kept.map((value) => `${type}=${escaped(value)}`).join('+'))
  }
  const others = attributes.filter((it) => !KNOWN.has(it.oid)).reverse()
  return [...rdns, ...others.map(inHex)].join(',')
}

function escaped(value: string): string {
  return value.replace(/[,+"\\<>;]|^[ #]| $/g, '\\$&')
}

/** The value as Go encodes a string anew, which need not be the type that it had. */
function inHex({ oid, value }: NameAttribute): string {
  const octets = Buffer.from(value, 'utf8')
  const tag = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? 0x13 : 0x0c
  return `${oid}=#${Buffer.concat([Buffer.from([tag, ...lengthOf(octets.length)]), octets]).toString('hex')}`
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return [0x80 | octets.length, ...octets]
}
