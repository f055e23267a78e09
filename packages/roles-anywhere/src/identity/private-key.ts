import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { RolesAnywhereError } from '../errors.ts'
import { DER, derAlgorithm, derValue, readDer, readDerOne } from '../internal/der.ts'
import type { SignatureHash, X509Identity } from '../types.ts'
import { closedError } from './closed.ts'
import { ML_DSA_SETS, type MlDsaSet, readMlDsaKeys, signMlDsa } from './ml-dsa.ts'
import { assertKeyKind, type PublicKey } from './public-key.ts'

/** A private key, in software or in a device. */
export interface PrivateKey {
  readonly publicKey: PublicKey
  /** What it signs has been verified already. */
  readonly verifies?: boolean
  readonly sign: X509Identity['sign']
  /** Forgets what is in memory. */
  wipe(): void
}

/** PrivateKeyInfo (RFC 5958), RSAPrivateKey (RFC 8017), ECPrivateKey (RFC 5915). */
export type PrivateKeyEncoding = 'pkcs8' | 'pkcs1' | 'sec1'

/**
 * Reads a private key in DER.
 *
 * @throws {TypeError} where it is of a kind that the service does not take; the message says of which.
 * @throws {SyntaxError} where it can't be read; the message says nothing of the key.
 */
export async function readPrivateKey(der: Buffer, type: PrivateKeyEncoding): Promise<PrivateKey> {
  const mlDsa = type === 'pkcs8' ? mlDsaIn(der) : undefined
  if (mlDsa !== undefined) return mlDsaKey(mlDsa.set, mlDsa.octets)
  const key = imported(der, type)
  const keyType = assertKeyKind(key)
  return {
    publicKey: { keyType, key: createPublicKey(key) },
    // A session takes one signature, of a millisecond: another thread would not be worth it.
    sign: (message, hash) => new Promise((resolve) => resolve(signature(key, message, hash))),
    wipe() {}, // OpenSSL's copy goes with the last reference to it
  }
}

function imported(der: Buffer, type: PrivateKeyEncoding): KeyObject {
  try {
    return createPrivateKey({ key: der, format: 'der', type })
  } catch {
    throw new SyntaxError('the private key can not be read') // OpenSSL's own words help nobody
  }
}

/** OpenSSL finds some damages of a key only here. */
function signature(key: KeyObject, message: Uint8Array, hash: SignatureHash): Buffer {
  try {
    return sign(hash, message, key)
  } catch {
    throw new RolesAnywhereError('ERR_RA_KEY', 'the private key can not sign: it is damaged, or too short for the hash')
  }
}

/** @returns undefined for other algorithms, and for what can't be read. */
function mlDsaIn(der: Buffer): { set: MlDsaSet; octets: Uint8Array } | undefined {
  try {
    const [, algorithm, key] = readDer(readDerOne(der, DER.sequence))
    const set = ML_DSA_SETS.get(derAlgorithm(algorithm).oid)
    return set && { set, octets: derValue(key, DER.octetString) }
  } catch {
    return undefined
  }
}

async function mlDsaKey(set: MlDsaSet, octets: Uint8Array): Promise<PrivateKey> {
  const { publicKey, secretKey } = await readMlDsaKeys(set, octets)
  let wiped = false
  return {
    publicKey: { keyType: 'ml-dsa', set, octets: publicKey },
    async sign(message) {
      if (wiped) throw closedError()
      return signMlDsa(set, message, secretKey)
    },
    wipe() {
      wiped = true
      secretKey.fill(0)
    },
  }
}
