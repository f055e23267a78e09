import { createHmac, hash } from 'node:crypto'

const BLOCK = 64
/** A string to sign has 17 + 17 + 65 octets and a scope: 150 with a long region. */
const ROOM = 512

/**
 * The key of one day, region and service. HMAC-SHA-256 with both padded blocks laid out once: two one-shot digests cost half of
 * what `createHmac` does, and a signature is little else.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc2104#section-4 RFC 2104, section 4}
 */
export class SigningKey {
  /** Key XOR ipad, then the message. */
  readonly #inner = Buffer.alloc(BLOCK + ROOM)
  /** Key XOR opad, then the inner digest. */
  readonly #outer = Buffer.alloc(BLOCK + 32)
  #wiped = false

  /** @param key 32 octets. Not kept: the caller may zero them. */
  constructor(key: Uint8Array) {
    for (let i = 0; i < BLOCK; i++) {
      const octet = key[i] ?? 0
      this.#inner[i] = octet ^ 0x36
      this.#outer[i] = octet ^ 0x5c
    }
  }

  /** Whether {@link wipe} was called; then there is nothing to sign with. */
  get wiped(): boolean {
    return this.#wiped
  }

  /** @param text ASCII, at most 512 characters. @returns the tag in lower-case hexadecimal digits. */
  sign(text: string): string {
    if (this.#wiped || text.length > ROOM) throw new RangeError('this key can not sign that')
    const end = BLOCK + this.#inner.write(text, BLOCK, 'binary')
    this.#outer.write(hash('sha256', this.#inner.subarray(0, end), 'binary'), BLOCK, 'binary')
    return hash('sha256', this.#outer, 'hex')
  }

  wipe(): void {
    this.#wiped = true
    this.#inner.fill(0)
    this.#outer.fill(0)
  }
}

/**
 * The derivation after the backend's part. Zeroes what it derives from.
 *
 * @param kDate 32 octets: HMAC(`AWS4` + secret, day).
 * @see {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html AWS, "Create a signed request", step 4}
 */
export function deriveSigningKey(kDate: Uint8Array, region: string, service: string): SigningKey {
  let key = kDate
  for (const part of [region, service, 'aws4_request']) {
    const next = createHmac('sha256', key).update(part).digest()
    key.fill(0)
    key = next
  }
  const signingKey = new SigningKey(key)
  key.fill(0)
  return signingKey
}
