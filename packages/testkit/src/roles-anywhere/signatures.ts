import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import type { Signed } from './certificate.ts'
import { bitsOf, childrenOf, oidOf, readDer } from './der.ts'

/** Public keys as Roles Anywhere knows them. */
export type PublicKey =
  | { readonly kind: 'rsa' | 'ec'; readonly key: KeyObject }
  | MlDsaKey
  | { readonly kind: 'unsupported'; readonly name: string }

interface MlDsaKey {
  readonly kind: 'ml-dsa'
  readonly set: MlDsaSet
  readonly octets: Buffer
}

type MlDsaSet = 'ml_dsa44' | 'ml_dsa65' | 'ml_dsa87'

const ML_DSA = new Map<string, MlDsaSet>([
  ['2.16.840.1.101.3.4.3.17', 'ml_dsa44'],
  ['2.16.840.1.101.3.4.3.18', 'ml_dsa65'],
  ['2.16.840.1.101.3.4.3.19', 'ml_dsa87'],
])
const ML_DSA_LIBRARY = { ml_dsa44, ml_dsa65, ml_dsa87 }
const CURVES = ['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1']

/** SHA-256 or stronger. MD5, SHA-1, SHA-224 are not there on purpose; RSASSA-PSS for want of a need. */
const SIGNATURES = new Map<string, { kind: 'rsa' | 'ec'; hash: string }>([
  ['1.2.840.113549.1.1.11', { kind: 'rsa', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { kind: 'rsa', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { kind: 'rsa', hash: 'sha512' }],
  ['1.2.840.10045.4.3.2', { kind: 'ec', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { kind: 'ec', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { kind: 'ec', hash: 'sha512' }],
])

/** The key in a SubjectPublicKeyInfo. */
export function publicKeyOf(spki: Buffer): PublicKey {
  const [algorithm, bits] = childrenOf(readDer(spki)[0])
  const oid = oidOf(childrenOf(algorithm)[0])
  const set = ML_DSA.get(oid)
  if (set !== undefined) return { kind: 'ml-dsa', set, octets: bitsOf(bits) }
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  if (key.asymmetricKeyType === 'rsa') return { kind: 'rsa', key }
  if (key.asymmetricKeyType !== 'ec') return { kind: 'unsupported', name: key.asymmetricKeyType ?? oid }
  // Node 20 ends the process when asked for the curve of a point at infinity, which is one octet (SEC 1, section 2.3.3).
  if (bitsOf(bits).length === 1) return { kind: 'unsupported', name: 'a point at infinity' }
  const curve = key.asymmetricKeyDetails?.namedCurve
  return CURVES.includes(curve ?? '') ? { kind: 'ec', key } : { kind: 'unsupported', name: curve ?? oid }
}

/** Whether a certificate or list is signed by a hash (or scheme) that is strong enough. */
export const isStrong = ({ signatureOid }: Signed): boolean => SIGNATURES.has(signatureOid) || ML_DSA.has(signatureOid)

/** Whether the owner of `spki` signed a certificate or a revocation list. */
export function isSignedBy({ signatureOid, tbs, signature }: Signed, spki: Buffer): boolean {
  const key = publicKeyOf(spki)
  if (key.kind === 'ml-dsa') return ML_DSA.get(signatureOid) === key.set && verifyMlDsa(key, tbs, signature)
  const algorithm = SIGNATURES.get(signatureOid)
  if (key.kind === 'unsupported' || algorithm?.kind !== key.kind) return false
  return verify(algorithm.hash, tbs, key.key, signature)
}

/** Whether the owner of `key` signed `message`: RSASSA-PKCS1-v1_5 or ECDSA in DER, with SHA-256; or pure ML-DSA, empty context. */
export function verifiesMessage(key: PublicKey, message: Buffer, signature: Buffer): boolean {
  if (key.kind === 'unsupported') return false
  if (key.kind === 'ml-dsa') return verifyMlDsa(key, message, signature)
  return verify('sha256', message, key.kind === 'ec' ? { key: key.key, dsaEncoding: 'der' } : key.key, signature)
}

/** Node.js learns ML-DSA with version 24 only. */
function verifyMlDsa({ set, octets }: MlDsaKey, message: Buffer, signature: Buffer): boolean {
  try {
    return ML_DSA_LIBRARY[set].verify(signature, message, octets)
  } catch {
    return false // keys and signatures of another length
  }
}
