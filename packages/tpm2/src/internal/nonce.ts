import { randomFillSync } from 'node:crypto'

/** Every command of a session takes a nonce, and asking for many at once costs as much as asking for one. */
const pool = new Uint8Array(4096)
let used = pool.length

/** Fresh random octets for a nonce, which is no secret; at most 64. */
export function freshNonce(length: number): Uint8Array {
  if (used + length > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += length
  return pool.slice(used - length, used)
}
