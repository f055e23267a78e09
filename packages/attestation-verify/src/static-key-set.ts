import { parseJwks } from './internal/jwks.ts'
import type { KeySource } from './key-source.ts'

/**
 * The keys of a JWK set at hand: of a file, or of a test issuer. They never change.
 *
 * @param jwks JSON text, or an object as `JSON.parse` gives it.
 * @throws {TypeError} where it is no JWK set with an RSA key of 2048 bits or more.
 */
export function createStaticKeySet(jwks: string | { readonly keys: readonly object[] }): KeySource {
  const keys = parse(typeof jwks === 'string' ? jwks : JSON.stringify(jwks))
  return {
    getKey: (kid) => Promise.resolve(keys.get(kid)),
    ready: () => true,
  }
}

function parse(text: string): ReturnType<typeof parseJwks> {
  try {
    return parseJwks(text)
  } catch (cause) {
    throw new TypeError('"jwks" must be a JWK set with a usable key', { cause })
  }
}
