import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const VERSION = 1
const IV_OCTETS = 12
const TAG_OCTETS = 16

/** A ciphertext as the emulated services hand it out: version, key name, IV, tag, AES-256-GCM. To callers it is opaque. */
export function seal(o: { key: Uint8Array; keyName: string; plaintext: Uint8Array; aad: Uint8Array }): Buffer {
  const iv = randomBytes(IV_OCTETS)
  const cipher = createCipheriv('aes-256-gcm', o.key, iv, { authTagLength: TAG_OCTETS }).setAAD(o.aad)
  const body = Buffer.concat([cipher.update(o.plaintext), cipher.final()])
  const name = Buffer.from(o.keyName)
  return Buffer.concat([
    Buffer.from([VERSION, name.length >> 8, name.length & 255]),
    name,
    iv,
    cipher.getAuthTag(),
    body,
  ])
}

/** Which key a ciphertext says it is for. @returns `undefined` where it is not one of {@link seal}. */
export function keyNameOf(sealed: Buffer): string | undefined {
  if (sealed.length < 3 || sealed[0] !== VERSION) return undefined
  const end = 3 + sealed.readUInt16BE(1)
  return sealed.length < end + IV_OCTETS + TAG_OCTETS ? undefined : sealed.toString('utf8', 3, end)
}

/** @returns `undefined` where key or additional data are others, or an octet changed. */
export function unseal(o: { key: Uint8Array; sealed: Buffer; aad: Uint8Array }): Buffer | undefined {
  const start = 3 + o.sealed.readUInt16BE(1)
  const [iv, tag] = [
    o.sealed.subarray(start, start + IV_OCTETS),
    o.sealed.subarray(start + IV_OCTETS, start + IV_OCTETS + TAG_OCTETS),
  ]
  try {
    const decipher = createDecipheriv('aes-256-gcm', o.key, iv, { authTagLength: TAG_OCTETS })
    decipher.setAAD(o.aad).setAuthTag(tag)
    return Buffer.concat([decipher.update(o.sealed.subarray(start + IV_OCTETS + TAG_OCTETS)), decipher.final()])
  } catch {
    return undefined
  }
}
