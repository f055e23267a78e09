import { createHash, createHmac } from 'node:crypto'
import type { HashAlgorithm } from '../algorithms.ts'
import { concat, u32 } from './octets.ts'

/**
 * KDFa: SP 800-108 in counter mode with HMAC (Part 1 §11.4.10.2).
 *
 * @param bits Wanted, a multiple of 8.
 */
export function kdfa(
  hash: HashAlgorithm,
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Uint8Array {
  const fixed = concat(Buffer.from(`${label}\0`, 'latin1'), contextU, contextV, u32(bits))
  return counted(bits, (counter) => createHmac(hash, key).update(u32(counter)).update(fixed).digest())
}

/** KDFe: SP 800-56A concatenation, for secrets agreed on with ECDH (Part 1 §11.4.10.3). Coordinates in full length. */
export function kdfe(
  hash: HashAlgorithm,
  z: Uint8Array,
  label: string,
  partyU: Uint8Array,
  partyV: Uint8Array,
  bits: number,
): Uint8Array {
  const fixed = concat(Buffer.from(`${label}\0`, 'latin1'), partyU, partyV)
  return counted(bits, (counter) => createHash(hash).update(u32(counter)).update(z).update(fixed).digest())
}

function counted(bits: number, block: (counter: number) => Buffer): Uint8Array {
  const out = new Uint8Array(bits / 8)
  for (let at = 0, counter = 1; at < out.length; counter++) {
    const digest = block(counter)
    out.set(digest.subarray(0, out.length - at), at)
    at += digest.length
    digest.fill(0)
  }
  return out
}
