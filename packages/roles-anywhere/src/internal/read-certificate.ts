import { RolesAnywhereError } from '../errors.ts'
import { DER, type DerElement, derAlgorithm, derOid, derValue, readDer, readDerOne } from './der.ts'

/** What is looked at in a certificate. Node's `X509Certificate` tells neither key usage nor version, nor anything of ML-DSA. */
export interface CertificateFields {
  /** 1, 2 or 3. */
  readonly version: number
  /** Decimal. */
  readonly serial: string
  /** DER. */
  readonly issuer: Uint8Array
  /** DER. */
  readonly subject: Uint8Array
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  /** Milliseconds since the epoch; still valid at this time. */
  readonly notAfter: number
  /** DER SubjectPublicKeyInfo. */
  readonly publicKeyInfo: Uint8Array
  /** Of the basic constraints; absent means false. */
  readonly authority: boolean
  /** Whether the key usage has digitalSignature; `undefined` without that extension. */
  readonly digitalSignature: boolean | undefined
  /** The TBSCertificate, DER: what the issuer signed. */
  readonly signed: Uint8Array
  /** Object identifier of the issuer's signature. */
  readonly signatureAlgorithm: string
  /** Its parameters, DER. */
  readonly signatureParameters: Uint8Array | undefined
}

const VERSION_TAG = 0xa0
const EXTENSIONS_TAG = 0xa3
const UTC_TIME = 0x17
const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'

/**
 * Reads a certificate, but for its names and most extensions.
 *
 * @param der One certificate.
 * @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE`
 * @see {@link https://www.rfc-editor.org/rfc/rfc5280#section-4.1 RFC 5280, section 4.1}
 */
export function readCertificate(der: Uint8Array): CertificateFields {
  try {
    return fieldsOf(der)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `the certificate can not be read: ${error.message}`)
  }
}

function fieldsOf(der: Uint8Array): CertificateFields {
  const [tbs, algorithm] = readDer(readDerOne(der, DER.sequence))
  const fields = readDer(derValue(tbs, DER.sequence))
  const version = fields[0]?.tag === VERSION_TAG ? uint(readDerOne(fields.shift()?.value ?? none, DER.integer)) : 0n
  const [serial, , issuer, validity, subject, publicKeyInfo] = fields
  const [notBefore, notAfter] = readDer(derValue(validity, DER.sequence))
  const { oid, parameters } = derAlgorithm(algorithm)
  const extensions = extensionsOf(fields.find(({ tag }) => tag === EXTENSIONS_TAG))
  return {
    version: Number(version) + 1,
    serial: String(uint(derValue(serial, DER.integer))),
    issuer: whole(issuer),
    subject: whole(subject),
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    publicKeyInfo: whole(publicKeyInfo),
    authority: isAuthority(extensions.get(BASIC_CONSTRAINTS)),
    digitalSignature: hasDigitalSignature(extensions.get(KEY_USAGE)),
    signed: whole(tbs),
    signatureAlgorithm: oid,
    signatureParameters: parameters?.raw,
  }
}

const none = new Uint8Array()

function whole(element: DerElement | undefined): Uint8Array {
  derValue(element, DER.sequence)
  return element?.raw ?? none
}

/** Of at most 64 octets: a serial number has 20 by RFC 5280, and some have more. A negative one is refused. */
function uint(octets: Uint8Array): bigint {
  const [first = 0x80] = octets
  if (first >= 0x80 || octets.length > 64) throw new SyntaxError('a number is negative or too long')
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`)
}

/** UTCTime and GeneralizedTime, both in the one form that RFC 5280, section 4.1.2.5, allows. */
function timeOf(element: DerElement | undefined): number {
  const digits = Buffer.from(element?.value ?? none).toString('latin1')
  const short = element?.tag === UTC_TIME
  const parts = (short ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(
    digits,
  )
  if (parts === null) throw new SyntaxError('a time of its validity is malformed')
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number)
  const [day = 0, hour = 0, minute = 0, second = 0] = rest
  return Date.UTC(short ? (year < 50 ? 2000 : 1900) + year : year, month - 1, day, hour, minute, second)
}

/** Contents of the extensions, by object identifier. */
function extensionsOf(element: DerElement | undefined): Map<string, Uint8Array> {
  if (element === undefined) return new Map()
  return new Map(
    readDer(readDerOne(element.value, DER.sequence)).map((extension) => {
      const parts = readDer(derValue(extension, DER.sequence))
      return [derOid(derValue(parts[0], DER.oid)), derValue(parts.at(-1), DER.octetString)]
    }),
  )
}

function isAuthority(extension: Uint8Array | undefined): boolean {
  if (extension === undefined) return false
  const [authority] = readDer(readDerOne(extension, DER.sequence))
  return authority?.tag === DER.boolean && authority.value[0] !== 0
}

/** Bit 0, which is the highest of the first octet after the count of unused bits. */
function hasDigitalSignature(extension: Uint8Array | undefined): boolean | undefined {
  return extension && ((readDerOne(extension, DER.bitString)[1] ?? 0) & 0x80) !== 0
}
