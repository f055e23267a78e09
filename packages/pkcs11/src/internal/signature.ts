import { constants, createHash, type KeyObject, verify } from 'node:crypto'
import type { Mechanism } from '../cryptoki.ts'
import { Pkcs11Error } from '../errors.ts'
import type { SignatureScheme } from '../signature-scheme.ts'
import { PARAMS_RSA_PSS } from './ck.ts'
import { ecdsaDer } from './ecdsa-der.ts'

/** DigestInfo in front of the hash: RFC 8017, section 9.2, note 1. Mechanisms: PKCS #11 v2.40, pkcs11t.h; the last three hash themselves. */
const HASHES = {
  sha256: { info: '3031300d060960864801650304020105000420', ckm: 0x250, mgf: 2, pkcs1: 0x40, pss: 0x43, ecdsa: 0x1044 },
  sha384: { info: '3041300d060960864801650304020205000430', ckm: 0x260, mgf: 3, pkcs1: 0x41, pss: 0x44, ecdsa: 0x1045 },
  sha512: { info: '3051300d060960864801650304020305000440', ckm: 0x270, mgf: 4, pkcs1: 0x42, pss: 0x45, ecdsa: 0x1046 },
} as const
const CKM_RSA_PKCS = 0x1
const CKM_RSA_PKCS_PSS = 0xd
const CKM_ECDSA = 0x1041
const CURVE_OCTETS: Readonly<Record<string, number>> = { prime256v1: 32, secp384r1: 48, secp521r1: 66 }
const KEY_TYPES = { 'rsassa-pkcs1-v1_5': 'rsa', 'rsassa-pss': 'rsa', ecdsa: 'ec' } as const

/** What to ask of the token. */
export interface SignatureCall {
  readonly mechanism: Mechanism
  readonly data: Uint8Array
}

/** @throws {TypeError} where there is no such scheme, or not for this key. */
export function assertFits({ scheme, hash }: SignatureScheme, { asymmetricKeyType }: KeyObject): void {
  if (!Object.hasOwn(KEY_TYPES, scheme))
    throw new TypeError(`"scheme" must be one of ${Object.keys(KEY_TYPES).join(', ')}`)
  if (!Object.hasOwn(HASHES, hash)) throw new TypeError(`"hash" must be one of ${Object.keys(HASHES).join(', ')}`)
  if (KEY_TYPES[scheme] !== asymmetricKeyType) throw new TypeError(`${scheme} is none for an ${asymmetricKeyType} key`)
}

/** Most octets that the token may answer with. */
export function octetsOf({ asymmetricKeyDetails }: KeyObject): number {
  const { modulusLength, namedCurve = '' } = asymmetricKeyDetails ?? {}
  return modulusLength === undefined ? 2 * (CURVE_OCTETS[namedCurve] ?? 0) : Math.ceil(modulusLength / 8)
}

/**
 * What to ask of the token for a signature: to sign the hash, or where it does not offer that, to hash too.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_KEY` where it offers neither.
 */
export function signatureCall(
  { scheme, hash }: SignatureScheme,
  publicKey: KeyObject,
  offered: ReadonlySet<number>,
  message: Uint8Array,
): SignatureCall {
  const { info, ckm, mgf, pkcs1, pss, ecdsa } = HASHES[hash]
  const digest = createHash(hash).update(message).digest()
  const parameter = { type: PARAMS_RSA_PSS, hashAlg: ckm, mgf, saltLen: digest.length }
  const ways: Record<SignatureScheme['scheme'], SignatureCall[]> = {
    'rsassa-pkcs1-v1_5': [
      { mechanism: { mechanism: CKM_RSA_PKCS }, data: Buffer.concat([Buffer.from(info, 'hex'), digest]) },
      { mechanism: { mechanism: pkcs1 }, data: message },
    ],
    'rsassa-pss': [
      { mechanism: { mechanism: CKM_RSA_PKCS_PSS, parameter }, data: digest },
      { mechanism: { mechanism: pss, parameter }, data: message },
    ],
    ecdsa: [
      // Cut as ECDSA does (FIPS 186-5, section 6.4.1): some tokens refuse what is longer than their curve.
      { mechanism: { mechanism: CKM_ECDSA }, data: digest.subarray(0, octetsOf(publicKey) / 2) },
      { mechanism: { mechanism: ecdsa }, data: message },
    ],
  }
  const way = ways[scheme].find(({ mechanism }) => offered.has(mechanism.mechanism))
  if (way !== undefined) return way
  throw new Pkcs11Error('ERR_PKCS11_KEY', `the token has no mechanism for ${scheme} with ${hash}`)
}

/**
 * Makes a signature of what the token answered, and verifies it: what a token in trouble gives may even tell the key (RSA-CRT).
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_SIGNATURE`
 */
export function verifiedSignature(
  { scheme, hash }: SignatureScheme,
  publicKey: KeyObject,
  message: Uint8Array,
  answer: Uint8Array,
): Uint8Array {
  const padding = scheme === 'rsassa-pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
  const how = scheme === 'ecdsa' ? { key: publicKey } : { key: publicKey, padding, saltLength }
  const signature = scheme === 'ecdsa' ? ecdsaDer(answer) : answer
  if (verify(hash, message, how, signature)) return signature
  throw new Pkcs11Error('ERR_PKCS11_SIGNATURE', 'what the token gave is no signature of the key')
}
