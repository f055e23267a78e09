import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { DER, derAlgorithm, derValue, readDer, readDerOne } from '../internal/der.ts'
import type { SignatureHash, X509KeyType } from '../types.ts'
import { ML_DSA_SETS, type MlDsaSet, verifyMlDsa } from './ml-dsa.ts'

/** A public key of a kind that IAM Roles Anywhere takes. */
export type PublicKey =
  | { readonly keyType: Exclude<X509KeyType, 'ml-dsa'>; readonly key: KeyObject }
  | { readonly keyType: 'ml-dsa'; readonly set: MlDsaSet; readonly octets: Uint8Array }

/** Tag of the version, which old certificates lack. */
const VERSION = 0xa0
/** The curves that the service's own helper can read. */
const CURVES = ['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1']

/**
 * Tells an RSA or EC key of a kind that the service takes.
 *
 * @throws {TypeError} which says of what kind it is, and of what kind it should be; for "the private key is …".
 * @throws {SyntaxError} where it is damaged.
 */
export function assertKeyKind(key: KeyObject): Exclude<X509KeyType, 'ml-dsa'> {
  const { asymmetricKeyType } = key
  if (asymmetricKeyType === 'rsa') return 'rsa'
  const instead = 'use RSA, EC (P-256, P-384, P-521) or ML-DSA'
  if (asymmetricKeyType === 'ec') {
    const curve = curveOf(key)
    if (CURVES.includes(curve ?? '')) return 'ec'
    throw new TypeError(`an EC key on ${curve ?? 'a curve of its own'}: ${instead}`)
  }
  if (asymmetricKeyType === 'rsa-pss') {
    throw new TypeError(`an RSA key for PSS alone, and the service takes PKCS #1 v1.5: ${instead}`)
  }
  throw new TypeError(`a key of type ${asymmetricKeyType ?? 'unknown'}, which the service does not take: ${instead}`)
}

/**
 * The curve of an EC key, in OpenSSL's words. Node 20 ends the process when asked for the details of a private key that is too long,
 * or of a point at infinity: they are asked of a copy of the public part, after a look at its point (SEC 1, section 2.3.3).
 *
 * @returns undefined for a curve that is spelled out (RFC 3279, section 2.3.5).
 * @throws {SyntaxError}
 */
export function curveOf(key: KeyObject): string | undefined {
  const publicKeyInfo = exported(key.type === 'private' ? createPublicKey(key) : key)
  const [, bits] = readDer(readDerOne(publicKeyInfo, DER.sequence))
  if (derValue(bits, DER.bitString).length <= 2) throw new SyntaxError(AT_INFINITY)
  return imported(publicKeyInfo).asymmetricKeyDetails?.namedCurve
}

function exported(publicKey: KeyObject): Buffer {
  try {
    return publicKey.export({ format: 'der', type: 'spki' })
  } catch {
    throw new SyntaxError(AT_INFINITY)
  }
}

const AT_INFINITY = 'its public key is a point at infinity'

/**
 * Reads the public key of a certificate. Node's own `X509Certificate.publicKey` throws for what OpenSSL does not know.
 *
 * @param certificate DER
 * @throws {TypeError} as {@link assertKeyKind}.
 * @throws {SyntaxError} where it can't be read.
 */
export function publicKeyOfCertificate(certificate: Uint8Array): PublicKey {
  const fields = readDer(derValue(readDer(readDerOne(certificate, DER.sequence))[0], DER.sequence))
  if (fields[0]?.tag === VERSION) fields.shift()
  const [, , , , , publicKeyInfo] = fields // after serialNumber, signature, issuer, validity, subject
  const [algorithm, bits] = readDer(derValue(publicKeyInfo, DER.sequence))
  const set = ML_DSA_SETS.get(derAlgorithm(algorithm).oid)
  if (set !== undefined) return { keyType: 'ml-dsa', set, octets: derValue(bits, DER.bitString).subarray(1) }
  const key = imported(publicKeyInfo?.raw)
  return { keyType: assertKeyKind(key), key }
}

function imported(publicKeyInfo: Uint8Array = new Uint8Array()): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(publicKeyInfo), format: 'der', type: 'spki' })
  } catch {
    throw new SyntaxError('its public key can not be read')
  }
}

/** Whether two are the same key. */
export function isSameKey(a: PublicKey, b: PublicKey): boolean {
  // Keys of different kinds are not compared: OpenSSL would leave an error behind, which the next call then throws (Node 20).
  if ('key' in a) return 'key' in b && kindOf(a.key) === kindOf(b.key) && a.key.equals(b.key)
  return 'set' in b && a.set === b.set && Buffer.from(a.octets).equals(b.octets)
}

const kindOf = (key: KeyObject): string | undefined =>
  key.asymmetricKeyType === 'ec' ? curveOf(key) : key.asymmetricKeyType

/** RSASSA-PKCS1-v1_5, ECDSA in DER, or pure ML-DSA with an empty context. */
export async function isSignatureOf(
  publicKey: PublicKey,
  message: Uint8Array,
  hash: SignatureHash,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.keyType === 'ml-dsa') return verifyMlDsa(publicKey.set, publicKey.octets, message, signature)
  try {
    return verify(hash, message, publicKey.key, signature)
  } catch {
    return false // a public key that can't be: OpenSSL finds it here
  }
}
