import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * Makes a check for one secret that takes as long whatever it is shown.
 * @returns Whether the values of a header are exactly one, and that is the secret.
 */
export function createSecretCheck(secret: string): (values: readonly string[]) => boolean {
  const expected = digest(secret)
  return ([value, ...more]) => value !== undefined && more.length === 0 && timingSafeEqual(digest(value), expected)
}

/** One length for all, which a constant-time comparison needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
