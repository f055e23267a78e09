import { timingSafeEqual } from 'node:crypto'
import { DER, derValue, readDer } from '../internal/der.ts'

/** Parameter set of ML-DSA (FIPS 204, section 4). */
export type MlDsaSet = 44 | 65 | 87

/** The parameter sets by object identifier. RFC 9881, section 2. */
export const ML_DSA_SETS: ReadonlyMap<string, MlDsaSet> = new Map([
  ['2.16.840.1.101.3.4.3.17', 44],
  ['2.16.840.1.101.3.4.3.18', 65],
  ['2.16.840.1.101.3.4.3.19', 87],
])

/** `[0] IMPLICIT OCTET STRING` */
const SEED = 0x80

/** A key pair in FIPS 204's own encoding. */
export interface MlDsaKeys {
  readonly publicKey: Uint8Array
  /** To be wiped. */
  readonly secretKey: Uint8Array
}

/** OpenSSL of Node 20 and 22 has no ML-DSA, and that of Node 24 signs with randomness by default. Loaded where it is needed alone. */
async function load(set: MlDsaSet) {
  const { ml_dsa44, ml_dsa65, ml_dsa87 } = await import('@noble/post-quantum/ml-dsa.js')
  return { 44: ml_dsa44, 65: ml_dsa65, 87: ml_dsa87 }[set]
}

/**
 * Reads an ML-DSA private key as PKCS #8 has it: the seed, the expanded key, or both, which then have to belong together.
 *
 * @param octets What is in the OCTET STRING privateKey.
 * @throws {SyntaxError} which says nothing of the octets.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9881#section-6 RFC 9881, section 6}
 */
export async function readMlDsaKeys(set: MlDsaSet, octets: Uint8Array): Promise<MlDsaKeys> {
  const { seed, expanded } = readChoice(octets)
  const mlDsa = await load(set)
  if (expanded !== undefined && expanded.length !== mlDsa.lengths.secretKey) throw new SyntaxError('not an ML-DSA key')
  if (seed !== undefined) {
    const keys = mlDsa.keygen(seed)
    if (expanded !== undefined && !timingSafeEqual(keys.secretKey, expanded)) {
      throw new SyntaxError('the seed and the expanded key do not belong together')
    }
    return keys
  }
  const secretKey = Uint8Array.from(expanded as Uint8Array)
  return { secretKey, publicKey: mlDsa.getPublicKey(secretKey) }
}

function readChoice(octets: Uint8Array): { seed?: Uint8Array; expanded?: Uint8Array } {
  const [choice, ...others] = readDer(octets)
  if (choice === undefined || others.length > 0) throw new SyntaxError('not an ML-DSA key')
  if (choice.tag === DER.octetString) return { expanded: choice.value }
  if (choice.tag !== DER.sequence) return { seed: seedIn(derValue(choice, SEED)) }
  const [seed, expanded, ...more] = readDer(choice.value)
  if (more.length > 0) throw new SyntaxError('not an ML-DSA key')
  return { seed: seedIn(derValue(seed, DER.octetString)), expanded: derValue(expanded, DER.octetString) }
}

function seedIn(octets: Uint8Array): Uint8Array {
  if (octets.length !== 32) throw new SyntaxError('not an ML-DSA seed')
  return octets
}

/** Pure ML-DSA, empty context, deterministic (FIPS 204, section 3.4): the same octets each time. */
export async function signMlDsa(set: MlDsaSet, message: Uint8Array, secretKey: Uint8Array): Promise<Uint8Array> {
  return (await load(set)).sign(message, secretKey, { extraEntropy: false })
}

/** @returns false also for a signature or key of a wrong length. */
export async function verifyMlDsa(
  set: MlDsaSet,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const { lengths, verify } = await load(set)
  if (publicKey.length !== lengths.publicKey || signature.length !== lengths.signature) return false
  return verify(signature, message, publicKey)
}
