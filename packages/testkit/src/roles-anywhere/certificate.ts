import { bitsOf, childrenOf, contentOf, type Der, oidOf, readDer, TAG, timeOf } from './der.ts'

/** What two structures have that an authority signs: a certificate and a revocation list. */
export interface Signed {
  /** What was signed. */
  readonly tbs: Buffer
  readonly signatureOid: string
  readonly signature: Buffer
}

/** The parts of an X.509 certificate that Roles Anywhere looks at (RFC 5280 §4.1). */
export interface Certificate extends Signed {
  readonly der: Buffer
  /** 1, 2 or 3 */
  readonly version: number
  /** The INTEGER, lowercase hex, two digits an octet, without the octet that only holds the sign. */
  readonly serialHex: string
  /** The whole Name, as DER. */
  readonly issuer: Buffer
  readonly subject: Buffer
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** SubjectPublicKeyInfo, as DER. */
  readonly spki: Buffer
  /** Value of each extension (the content of its OCTET STRING), by OID. */
  readonly extensions: ReadonlyMap<string, Buffer>
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([\sA-Za-z0-9+/=]*)-----END \1-----/g

/** All blocks with this label, decoded. */
export const pemBlocks = (pem: string, label: string): Buffer[] =>
  [...pem.matchAll(PEM_BLOCK)]
    .filter(([, found]) => found === label)
    .map(([, , text = '']) => Buffer.from(text, 'base64'))

const MAX_SERIAL_OCTETS = 20

/** @throws {SyntaxError} on what is not one certificate. */
export function parseCertificate(der: Buffer): Certificate {
  const { tbs, ...signed } = parseSigned(der)
  const fields = childrenOf(tbs)
  const version = fields[0]?.tag === 0xa0 ? Number(integerOf(readDer(fields.shift()!.content)[0])) + 1 : 1
  const [serial, , issuer, validity, subject, spki, ...rest] = fields
  const [notBefore, notAfter] = childrenOf(validity)
  const serialHex = serialOf(serial)
  return {
    ...signed,
    der,
    tbs: tbs.raw,
    version,
    serialHex,
    issuer: whole(issuer),
    subject: whole(subject),
    notBeforeMs: timeOf(notBefore),
    notAfterMs: timeOf(notAfter),
    spki: whole(spki),
    extensions: parseExtensions(rest.find(({ tag }) => tag === 0xa3)),
  }
}

/** A serial number as {@link Certificate} has it (RFC 5280 §4.1.2.2). */
export function serialOf(der: Der | undefined): string {
  const octets = contentOf(der, TAG.integer)
  if (octets.length === 0 || octets.length > MAX_SERIAL_OCTETS + 1)
    throw new SyntaxError('a serial number of strange length')
  return octets.toString('hex').replace(/^00(?=[89a-f])/, '')
}

/** The outer SEQUENCE of certificates and revocation lists: what is signed, how, and the signature. */
export function parseSigned(der: Buffer): Omit<Signed, 'tbs'> & { tbs: Der } {
  const [outer, ...trailing] = readDer(der)
  const [tbs, algorithm, signature, ...more] = childrenOf(outer)
  if (trailing.length + more.length > 0 || tbs === undefined) throw new SyntaxError('DER: not one signed structure')
  return { tbs, signatureOid: oidOf(childrenOf(algorithm)[0]), signature: bitsOf(signature) }
}

/** basicConstraints (RFC 5280 §4.2.1.9). @returns `undefined` where there is no such extension. */
export function basicConstraints({ extensions }: Certificate): { ca: boolean; pathLength: number } | undefined {
  const value = extensions.get('2.5.29.19')
  if (value === undefined) return undefined
  const fields = childrenOf(readDer(value)[0])
  const ca = fields[0]?.tag === TAG.boolean && fields[0].content[0] !== 0
  const limit = fields.find(({ tag }) => tag === TAG.integer)
  return { ca, pathLength: limit === undefined ? Number.POSITIVE_INFINITY : Number(integerOf(limit)) }
}

const USAGE_BITS = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const

/** Whether keyUsage is there and has this bit (RFC 5280 §4.2.1.3). */
export function hasUsage({ extensions }: Certificate, usage: keyof typeof USAGE_BITS): boolean {
  const value = extensions.get('2.5.29.15')
  if (value === undefined) return false
  const [, bits = 0] = contentOf(readDer(value)[0], TAG.bitString)
  return (bits & USAGE_BITS[usage]) !== 0
}

/** Key identifiers (RFC 5280 §4.2.1.1 and §4.2.1.2), lowercase hex. */
export function keyIdentifiers({ extensions }: Certificate): { own: string | undefined; issuer: string | undefined } {
  const [own, issuer] = [extensions.get('2.5.29.14'), extensions.get('2.5.29.35')]
  return {
    own: own && contentOf(readDer(own)[0], TAG.octetString).toString('hex'),
    issuer:
      issuer &&
      childrenOf(readDer(issuer)[0])
        .find(({ tag }) => tag === 0x80)
        ?.content.toString('hex'),
  }
}

function parseExtensions(list: Der | undefined): Map<string, Buffer> {
  if (list === undefined) return new Map()
  return new Map(
    childrenOf(readDer(list.content)[0]).map((extension) => {
      const fields = childrenOf(extension)
      return [oidOf(fields[0]), contentOf(fields.at(-1), TAG.octetString)]
    }),
  )
}

const integerOf = (der: Der | undefined): bigint => BigInt(`0x${contentOf(der, TAG.integer).toString('hex') || '0'}`)

const whole = (der: Der | undefined): Buffer => {
  contentOf(der, TAG.sequence)
  return der!.raw
}
