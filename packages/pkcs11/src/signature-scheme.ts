import type { KeyObject } from 'node:crypto'

/**
 * How to sign. `rsassa-pss`: the salt is as long as the hash, and MGF1 has the same hash (RFC 7518, section 3.5). `ecdsa`: the
 * signature is DER (ECDSA-Sig-Value, RFC 3279, section 2.2.3).
 */
export interface SignatureScheme {
  readonly scheme: 'rsassa-pkcs1-v1_5' | 'rsassa-pss' | 'ecdsa'
  readonly hash: 'sha256' | 'sha384' | 'sha512'
}

/** A private key that stays in its device. */
export interface SigningKey {
  /** What holds the key, for messages: `pkcs11`. */
  readonly name: string
  readonly publicKey: KeyObject
  /** The certificate (DER) that lies beside the key; absent where there is none. */
  readonly certificate?: Uint8Array
  /**
   * Signs a message. What comes back has been verified with `publicKey`.
   *
   * @param message Copied at once.
   * @throws {TypeError} where the scheme is none for this kind of key.
   */
  sign(message: Uint8Array, scheme: SignatureScheme, options?: { signal?: AbortSignal }): Promise<Uint8Array>
  /** Gives back sessions and handles. A second call does nothing. */
  close(): Promise<void>
}
