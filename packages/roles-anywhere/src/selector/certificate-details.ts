import { createHash } from 'node:crypto'
import { RolesAnywhereError } from '../errors.ts'
import { DER, derAlgorithm, derOid, derValue, readDer, readDerOne } from '../internal/der.ts'
import { readCertificate } from '../internal/read-certificate.ts'
import { type Name, parseName } from './name.ts'

const MAX_OCTETS = 65_536
const EXTENSIONS = 0xa3
const SUBJECT_ALT_NAME = '2.5.29.17'

/** What selectors and listings look at in a certificate. None of it has been verified. */
export interface CertificateDetails {
  /** All of it, DER. */
  readonly der: Uint8Array
  /** Certificates have up to 20 octets of it. */
  readonly serial: bigint
  readonly issuer: Name
  readonly subject: Name
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  /** Milliseconds since the epoch. */
  readonly notAfter: number
  /** Of its public key: `1.2.840.113549.1.1.1` is RSA. */
  readonly publicKeyOid: string
  /** It may issue others, so it is no identity. */
  readonly authority: boolean
  readonly dnsNames: readonly string[]
  readonly uris: readonly string[]
  readonly emails: readonly string[]
  /** Of the whole certificate, lower-case hexadecimal. */
  readonly sha1: string
  /** Of the whole certificate, lower-case hexadecimal. */
  readonly sha256: string
}

/**
 * Reads a certificate, 64 KiB at most. Unlike `X509Certificate` of Node it has names as they are, and knows every kind of public key.
 *
 * @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE`
 */
export function readCertificateDetails(der: Uint8Array): CertificateDetails {
  if (der.length > MAX_OCTETS) {
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `a certificate has ${der.length} octets, ${MAX_OCTETS} at most`)
  }
  const { serial, issuer, subject, notBefore, notAfter, publicKeyInfo, authority, signed } = readCertificate(der)
  try {
    const alternative = alternativeNames(signed)
    return {
      der,
      serial: BigInt(serial),
      issuer: parseName(issuer),
      subject: parseName(subject),
      notBefore,
      notAfter,
      publicKeyOid: derAlgorithm(readDer(readDerOne(publicKeyInfo, DER.sequence))[0]).oid,
      authority,
      emails: alternative(1),
      dnsNames: alternative(2),
      uris: alternative(6),
      sha1: createHash('sha1').update(der).digest('hex'),
      sha256: createHash('sha256').update(der).digest('hex'),
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `the certificate can not be read: ${error.message}`)
  }
}

/**
 * Those that are text, by their choice: rfc822Name [1], dNSName [2], uniformResourceIdentifier [6].
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6 RFC 5280, section 4.2.1.6}
 */
function alternativeNames(signed: Uint8Array): (choice: number) => string[] {
  const wrapper = readDer(readDerOne(signed, DER.sequence)).find(({ tag }) => tag === EXTENSIONS)
  const extensions = wrapper === undefined ? [] : readDer(readDerOne(wrapper.value, DER.sequence))
  const names = extensions.flatMap((extension) => {
    const parts = readDer(derValue(extension, DER.sequence))
    if (derOid(derValue(parts[0], DER.oid)) !== SUBJECT_ALT_NAME) return []
    return readDer(readDerOne(derValue(parts.at(-1), DER.octetString), DER.sequence))
  })
  return (choice) =>
    names.filter(({ tag }) => tag === (0x80 | choice)).map(({ value }) => Buffer.from(value).toString('latin1'))
}
