import { readPemCertificates } from './identity/pem-certificates.ts'
import { readWholeFile } from './identity/read-file.ts'
import { type CertificateDetails, readCertificateDetails } from './selector/certificate-details.ts'
import { goNameText } from './selector/go-name.ts'

/** What `read-certificate-data` says of a file, in the order of its JSON. */
export interface CertificateData {
  /** `RSA`, `EC`, `ML-DSA-44`, `ML-DSA-65`, `ML-DSA-87`; empty for any other key. */
  readonly keyType: string
  /** DER in base64. */
  readonly certificateData: string
  /** Decimal. */
  readonly serialNumber: string
  /** What the service's helper calls the signatures that such a key makes. */
  readonly supportedAlgorithms: readonly string[]
}

/** By the OID of the public key: RFC 8017, RFC 5480, RFC 9881. */
const KEYS: ReadonlyMap<string, readonly [keyType: string, algorithms: readonly string[]]> = new Map([
  ['1.2.840.113549.1.1.1', ['RSA', hashed('RSA')]],
  ['1.2.840.10045.2.1', ['EC', hashed('EC')]],
  ['2.16.840.1.101.3.4.3.17', ['ML-DSA-44', ['ML-DSA-44']]],
  ['2.16.840.1.101.3.4.3.18', ['ML-DSA-65', ['ML-DSA-65']]],
  ['2.16.840.1.101.3.4.3.19', ['ML-DSA-87', ['ML-DSA-87']]],
])

function hashed(prefix: string): string[] {
  return ['SHA256', 'SHA384', 'SHA512'].map((hash) => prefix + hash)
}

/**
 * Reads the first certificate of a PEM file. `JSON.stringify` of what it returns is what `aws_signing_helper read-certificate-data`
 * prints.
 *
 * @throws {RolesAnywhereError} `ERR_RA_FILE`, `ERR_RA_CERTIFICATE`
 */
export async function readCertificateData(path: string): Promise<CertificateData> {
  const { octets } = await readWholeFile(path)
  try {
    const [leaf] = readPemCertificates({ from: path, value: octets })
    return certificateData(leaf)
  } finally {
    octets.fill(0) // a private key may be there too
  }
}

/**
 * Says what a certificate is.
 *
 * @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE`
 */
export function certificateData(der: Uint8Array): CertificateData {
  const { publicKeyOid, serial } = readCertificateDetails(der)
  const [keyType, supportedAlgorithms] = KEYS.get(publicKeyOid) ?? ['', hashed('')]
  return {
    keyType,
    certificateData: Buffer.from(der).toString('base64'),
    serialNumber: serial.toString(),
    supportedAlgorithms,
  }
}

/** One line of a listing's block each. */
export interface ListedIdentity {
  readonly details: CertificateDetails
  /** PKCS #11 URI, for a certificate in a token. */
  readonly uri?: string | undefined
}

/**
 * Lists certificates of a store as `aws_signing_helper read-certificate-data` does. Control characters in names, which could pass for
 * lines of the listing, move the cursor of a terminal or turn the direction of writing, are written as RFC 4514 does: `\0A`.
 */
export function listIdentities(identities: readonly ListedIdentity[]): string {
  if (identities.length === 0) return 'No matching identities\n'
  const blocks = identities.map(({ details, uri }, index) =>
    [
      `${index + 1}) Hex Fingerprint: ${details.sha1}`,
      `Subject: ${visible(goNameText(details.subject))}`,
      `Issuer: ${visible(goNameText(details.issuer))}`,
      `Serial Number: ${details.serial.toString(16).toUpperCase()}`,
      ...(uri === undefined ? [] : [`URI: ${uri}`]),
      '\n',
    ].join('\n'),
  )
  return `Matching identities\n${blocks.join('')}`
}

/** Control characters, line separators, and what turns the direction of writing. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

function visible(name: string): string {
  return name.replace(UNSEEN, (character) =>
    Buffer.from(character, 'utf8').reduce(
      (text, octet) => `${text}\\${octet.toString(16).toUpperCase().padStart(2, '0')}`,
      '',
    ),
  )
}
