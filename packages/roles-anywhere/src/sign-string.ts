import { createHash, createPublicKey, ECDH, type KeyObject } from 'node:crypto'
import { RolesAnywhereError } from './errors.ts'
import { curveOf } from './identity/public-key.ts'
import { DER, derAlgorithm, derValue, readDer, readDerOne } from './internal/der.ts'
import { readCertificate } from './internal/read-certificate.ts'
import type { SignatureHash, X509Identity } from './types.ts'

/** `json`: a JSON string of hexadecimal digits. `text`: those digits. `bin`: the signature itself. None ends with a line feed. */
export type SignatureFormat = 'json' | 'text' | 'bin'

/** How a signature of the test message is made. */
export interface SignTestStringInit {
  /** Signs; a whole {@link X509Identity} is one. */
  readonly key: Pick<X509Identity, 'sign'>
  /** DER, of which the public key goes into the message. With an ML-DSA key the message ends before. */
  readonly certificate?: Uint8Array | undefined
  /** The public key itself, in place of `certificate`. Without both the message ends before. */
  readonly publicKey?: KeyObject | undefined
  /** Of RSA and EC keys. Default: `sha256`. */
  readonly digest?: SignatureHash | undefined
  /** Default: `json`. */
  readonly format?: SignatureFormat | undefined
}

const TEXT = 'AWS Roles Anywhere Credential Helper Signing Test'
const RSA = '1.2.840.113549.1.1.1'
const EC = '1.2.840.10045.2.1'

/**
 * Signs a fixed message, to see whether a key works, and whether it is the certificate's. What is signed, and how it comes out, is
 * as `aws_signing_helper sign-string` has it.
 *
 * @returns What is to be printed.
 */
export async function signTestString(
  { key, certificate, publicKey, digest = 'sha256', format = 'json' }: SignTestStringInit,
  options?: { signal?: AbortSignal },
): Promise<Uint8Array> {
  const signature = await key.sign(testMessage(certificate ?? publicKey), digest, options)
  if (format === 'bin') return signature
  const hex = Buffer.from(signature).toString('hex')
  return Buffer.from(format === 'json' ? `"${hex}"` : hex)
}

/**
 * What {@link signTestString} signs.
 *
 * @param owner Certificate in DER, or public key.
 * @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE`
 */
export function testMessage(owner?: Uint8Array | KeyObject): Uint8Array {
  const text = Buffer.from(`${TEXT}1`)
  const publicKey = owner && readPublicKey(publicKeyInfoOf(owner))
  if (publicKey === undefined) return text
  return Buffer.concat([text, createHash('sha256').update('IAM RA').update(publicKey).digest()])
}

function publicKeyInfoOf(owner: Uint8Array | KeyObject): Uint8Array {
  return owner instanceof Uint8Array
    ? readCertificate(owner).publicKeyInfo
    : owner.export({ type: 'spki', format: 'der' })
}

function readPublicKey(publicKeyInfo: Uint8Array): Uint8Array | undefined {
  try {
    return publicKeyOctets(publicKeyInfo)
  } catch {
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', 'the public key of the certificate can not be read')
  }
}

/** RSA: RSAPublicKey (RFC 8017, A.1.1). EC: the point, not compressed (SEC 1, section 2.3.3). */
function publicKeyOctets(publicKeyInfo: Uint8Array): Uint8Array | undefined {
  const [algorithm, bits] = readDer(readDerOne(publicKeyInfo, DER.sequence))
  const { oid } = derAlgorithm(algorithm)
  const octets = derValue(bits, DER.bitString).subarray(1)
  if (oid === RSA || (oid === EC && octets[0] === 4)) return octets
  if (oid !== EC) return undefined
  const key = createPublicKey({ key: Buffer.from(publicKeyInfo), format: 'der', type: 'spki' })
  return ECDH.convertKey(octets, curveOf(key) ?? '') as Buffer
}
