import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { HashAlgorithm } from '../algorithms.ts'
import type { SessionCipher } from '../commands/start-auth-session.ts'
import { kdfa } from './kdf.ts'
import { wipe } from './octets.ts'

/** What the mask or key of one parameter comes from. */
export interface ParameterKey {
  readonly cipher: SessionCipher
  readonly hash: HashAlgorithm
  /** sessionKey, and the authorisation value of the object where the session authorises one (Part 1 §21.2). */
  readonly sessionValue: Uint8Array
  /** Who sends the parameter has the newer nonce. */
  readonly nonceNewer: Uint8Array
  readonly nonceOlder: Uint8Array
}

const KEY_OCTETS = 16
const IV_OCTETS = 16

/**
 * Encrypts the content of the first parameter, in place of its size field's octets (Part 1 §21).
 *
 * @returns As many octets as came in.
 */
export function encryptParameter(key: ParameterKey, plain: Uint8Array): Uint8Array {
  return transform(key, plain, 'encrypt')
}

/** Decrypts the content of the first parameter of a response. */
export function decryptParameter(key: ParameterKey, encrypted: Uint8Array): Uint8Array {
  return transform(key, encrypted, 'decrypt')
}

function transform(key: ParameterKey, data: Uint8Array, direction: 'encrypt' | 'decrypt'): Uint8Array {
  const { hash, sessionValue, nonceNewer, nonceOlder } = key
  if (data.length === 0) return data
  if (key.cipher === 'xor') {
    const mask = kdfa(hash, sessionValue, 'XOR', nonceNewer, nonceOlder, data.length * 8)
    const out = data.map((octet, at) => octet ^ (mask[at] ?? 0))
    wipe(mask)
    return out
  }
  const material = kdfa(hash, sessionValue, 'CFB', nonceNewer, nonceOlder, (KEY_OCTETS + IV_OCTETS) * 8)
  const out = aesCfb(material.subarray(0, KEY_OCTETS), material.subarray(KEY_OCTETS), data, direction)
  wipe(material)
  return out
}

/** AES in CFB mode with full feedback; the key's length says which AES. */
export function aesCfb(
  key: Uint8Array,
  iv: Uint8Array,
  data: Uint8Array,
  direction: 'encrypt' | 'decrypt',
): Uint8Array {
  const algorithm = `aes-${key.length * 8}-cfb`
  const cipher = direction === 'encrypt' ? createCipheriv(algorithm, key, iv) : createDecipheriv(algorithm, key, iv)
  return cipher.update(data) // all of it: in this mode nothing is held back for final()
}
