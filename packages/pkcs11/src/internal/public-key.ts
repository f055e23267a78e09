import { createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Handle } from '../cryptoki.ts'
import { Pkcs11Error } from '../errors.ts'
import { findObjects } from '../find-objects.ts'
import { attribute, numberAttribute } from '../objects.ts'
import { readCertificates } from '../read-certificates.ts'
import type { Pkcs11Session } from '../session.ts'
import { CKA, CKK } from './ck.ts'

/** Curves by CKA_EC_PARAMS, which is an object identifier in DER. RFC 5480, section 2.1.1.1. */
const CURVES = new Map([
  ['06082a8648ce3d030107', { crv: 'P-256', octets: 32 }],
  ['06052b81040022', { crv: 'P-384', octets: 48 }],
  ['06052b81040023', { crv: 'P-521', octets: 66 }],
])
/** SubjectPublicKeyInfo (RFC 5480, section 2), up to the first octet of the point, which tells one at infinity (SEC 1, section 2.3.3). */
const POINT_ON_CURVE = new RegExp(`^30(81)?..30..06072a8648ce3d0201(${[...CURVES.keys()].join('|')})03(81)?..000[234]`)
const MIN_MODULUS_BITS = 2048

/**
 * Gets the public key of a private key: from the public keys and the certificates with the same CKA_ID, and from the private key's
 * own attributes. All that is there must say the same.
 *
 * @param id May be empty: then nothing beside the private key is looked at.
 * @param certificate The key's certificate (DER), where the caller has it.
 * @throws {Pkcs11Error} `ERR_PKCS11_KEY`
 */
export function publicKeyFor(session: Pkcs11Session, key: Handle, id: Uint8Array, certificate?: Uint8Array): KeyObject {
  const all = certificate === undefined ? [] : [keyOfCertificate(certificate)]
  if (id.length > 0) {
    for (const handle of findObjects(session, { id, type: 'public' })) all.push(...publicKeyOf(session, handle))
    for (const { der } of readCertificates(session, { id })) all.push(keyOfCertificate(der))
  }
  all.push(...publicKeyOf(session, key))
  const [first] = all
  if (first === undefined) throw unfit('neither a public key nor a certificate with its CKA_ID is there')
  for (const it of all) assertUsable(it)
  if (!all.every((it) => isSameKey(it, first))) {
    throw unfit('public key, certificate and private key with its CKA_ID do not belong together')
  }
  if (numberAttribute(session, key, CKA.KEY_TYPE) !== KEY_TYPES[first.asymmetricKeyType ?? '']) {
    throw unfit('it and its public key are of different types')
  }
  return first
}

/**
 * An RSA key of 2048 bits or more, or a point on one of the curves. Node 20 must not be asked for the details of any other key: those of
 * a point at infinity, and of a damaged DSA key, end the process.
 */
function assertUsable(key: KeyObject): void {
  if (key.asymmetricKeyType === 'ec') {
    if (POINT_ON_CURVE.test(publicKeyInfoOf(key))) return
    throw unfit('its curve is none of P-256, P-384, P-521')
  }
  if (key.asymmetricKeyType !== 'rsa') return // no type of a key that signs, which is looked at next
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < MIN_MODULUS_BITS) {
    throw unfit(`it has ${modulusLength} bits, and ${MIN_MODULUS_BITS} are the least`)
  }
}

/** In hex; of a point at infinity there may be none. */
function publicKeyInfoOf(key: KeyObject): string {
  try {
    return key.export({ format: 'der', type: 'spki' }).toString('hex')
  } catch {
    return ''
  }
}

/** Keys of two kinds are not compared: Node 20 would leave an error behind, for the next key that is read. */
export const isSameKey = (a: KeyObject, b: KeyObject): boolean =>
  a.asymmetricKeyType === b.asymmetricKeyType && a.equals(b)

const KEY_TYPES: Readonly<Record<string, number>> = { rsa: CKK.RSA, ec: CKK.EC }

/** What an object says of its public key: nothing, or one. */
function publicKeyOf(session: Pkcs11Session, object: Handle): KeyObject[] {
  const read = (type: number): Buffer | undefined => {
    const value = attribute(session, object, type)
    return value?.length === 0 ? undefined : value // SoftHSM has attributes that were never set
  }
  const [n, e] = [read(CKA.MODULUS), read(CKA.PUBLIC_EXPONENT)]
  if (n !== undefined && e !== undefined) return [imported({ kty: 'RSA', n: base64url(n), e: base64url(e) })]
  const [params, point] = [read(CKA.EC_PARAMS), read(CKA.EC_POINT)]
  if (params !== undefined && point !== undefined) return [imported(ecKey(params, point))]
  const spki = read(CKA.PUBLIC_KEY_INFO)
  return spki === undefined ? [] : [imported(spki)]
}

/** CKA_EC_POINT is an OCTET STRING with the uncompressed point in it; some tokens leave out the OCTET STRING. */
function ecKey(params: Buffer, point: Buffer): JsonWebKey {
  const curve = CURVES.get(params.toString('hex'))
  if (curve === undefined) throw unfit('its curve is none of P-256, P-384, P-521')
  const { crv, octets } = curve
  const length = 1 + 2 * octets
  const plain = point.subarray(-length)
  const header = Buffer.from(length < 0x80 ? [0x04, length] : [0x04, 0x81, length])
  const wrapping = point.subarray(0, point.length - plain.length)
  if (plain.length !== length || plain[0] !== 0x04 || !(wrapping.length === 0 || wrapping.equals(header))) {
    throw unfit('its CKA_EC_POINT is no point of its curve')
  }
  return { kty: 'EC', crv, x: base64url(plain.subarray(1, 1 + octets)), y: base64url(plain.subarray(1 + octets)) }
}

function imported(key: Buffer | JsonWebKey): KeyObject {
  try {
    return Buffer.isBuffer(key)
      ? createPublicKey({ key, format: 'der', type: 'spki' })
      : createPublicKey({ key, format: 'jwk' })
  } catch {
    throw unfit('its public key can not be read')
  }
}

function keyOfCertificate(der: Uint8Array): KeyObject {
  try {
    return new X509Certificate(der).publicKey
  } catch {
    throw unfit('its certificate can not be read')
  }
}

const base64url = (octets: Buffer): string => octets.toString('base64url')

/** Says of a private key what it is not to be used for. */
export const unfit = (why: string): Pkcs11Error =>
  new Pkcs11Error('ERR_PKCS11_KEY', `the private key is not one to be used here: ${why}`)
