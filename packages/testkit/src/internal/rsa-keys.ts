import { createHash, generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { KeyPair } from './certificate.ts'

const OPTIONS = { modulusLength: 2048 }
const generate = promisify(generateKeyPair)

/** RSA keys are slow to make. Those of closed emulators wait here; two living emulators never share one. */
const idle: KeyPair[] = []

/** Takes `count` RSA-2048 keys, used ones where there are some. Give them back with {@link giveBackKeys}. */
export async function takeKeys(count: number): Promise<KeyPair[]> {
  const taken = idle.splice(0, count)
  const made = Array.from({ length: count - taken.length }, () => generate('rsa', OPTIONS))
  return [...taken, ...(await Promise.all(made))]
}

/** As {@link takeKeys} for one key, at once. */
export function takeKeyNow(): KeyPair {
  return idle.shift() ?? generateKeyPairSync('rsa', OPTIONS)
}

/** Hands keys to whoever starts next. */
export function giveBackKeys(keys: readonly KeyPair[]): void {
  idle.push(...keys)
}

/** The RFC 7638 §3 thumbprint of a public RSA key: base64url of SHA-256. */
export function rsaThumbprint(key: KeyObject): string {
  const { e, n } = key.export({ format: 'jwk' })
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url')
}
