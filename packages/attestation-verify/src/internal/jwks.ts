import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { VerificationKey } from '../key-source.ts'
import { type JsonObject, type JsonValue, parseStrictJson } from '../strict-json.ts'
import { isObject } from './json.ts'

/** Octets of a JWK set that are read at most. */
export const MAX_JWKS_BYTES = 256 * 1024
const MAX_KEYS = 50
const USABLE_ALGORITHMS: readonly JsonValue[] = ['RS256', 'PS384']

/**
 * Reads a JWK set (RFC 7517 §5). Keys that are not for verifying RSA signatures, or too weak for it, are left out, so that
 * an issuer may publish others beside them; a set with two usable keys of one name, or with none at all, is refused.
 *
 * @throws {Error} that says what is wrong with the set, and holds nothing of it.
 */
export function parseJwks(input: string | Uint8Array): Map<string, VerificationKey> {
  const set = parseStrictJson(input, { maxBytes: MAX_JWKS_BYTES, maxDepth: 8 })
  if (!isObject(set) || !Array.isArray(set.keys)) throw new Error('not a JWK set')
  if (set.keys.length > MAX_KEYS) throw new Error(`more than ${MAX_KEYS} keys`)
  const keys = new Map<string, VerificationKey>()
  for (const jwk of set.keys) {
    const key = isObject(jwk) ? usableKey(jwk) : undefined
    if (key === undefined) continue
    if (keys.has(key.kid)) throw new Error('two keys of the same name')
    keys.set(key.kid, key)
  }
  if (keys.size === 0) throw new Error('no usable key')
  return keys
}

const KID = /^[\x21-\x7e]{1,128}$/

/** Whether a `kid` is one this package works with: 1 to 128 printable ASCII characters. */
export function isKid(kid: unknown): kid is string {
  return typeof kid === 'string' && KID.test(kid)
}

/** RFC 7517 §4.2 to §4.5: `use`, `key_ops` and `alg` say what a key is for; where they are absent, it is for all. */
function usableKey(jwk: JsonObject): VerificationKey | undefined {
  const { kty, kid, use, key_ops: ops, alg } = jwk
  if (kty !== 'RSA' || !isKid(kid)) return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (ops !== undefined && !(Array.isArray(ops) && ops.includes('verify'))) return undefined
  if (alg !== undefined && !USABLE_ALGORITHMS.includes(alg)) return undefined
  const key = importKey(jwk)
  return key !== undefined && isStrongRsa(key) ? ({ kid, alg, key } as VerificationKey) : undefined
}

/** From `n` and `e`, or, as Azure Attestation publishes its keys, from the first certificate of `x5c`. */
function importKey({ n, e, x5c }: JsonObject): KeyObject | undefined {
  try {
    if (typeof n === 'string' && typeof e === 'string') {
      return createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
    }
    const leaf = Array.isArray(x5c) ? x5c[0] : undefined
    return typeof leaf === 'string' ? new X509Certificate(Buffer.from(leaf, 'base64')).publicKey : undefined
  } catch {
    return undefined
  }
}

/** 2048 to 8192 bits (more would only cost time), and an odd public exponent of 65537 or more. */
export function isStrongRsa(key: KeyObject): boolean {
  // First: Node ends the process when asked for the details of an EC key at infinity, which a sender may choose.
  if (key.asymmetricKeyType !== 'rsa') return false
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < 2048 || modulusLength > 8192) return false
  return publicExponent >= 65_537n && publicExponent % 2n === 1n
}
