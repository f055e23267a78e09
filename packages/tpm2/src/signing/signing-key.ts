import type { KeyObject } from 'node:crypto'

/** How to sign. */
export interface SignatureScheme {
  /**
   * - `rsassa-pkcs1-v1_5`: RFC 8017 §8.2; RS256 and its kin of RFC 7518 §3.3.
   * - `rsassa-pss`: RFC 8017 §8.1, MGF1 with the same hash, salt as long as the hash; PS256 and its kin of RFC 7518 §3.5.
   * - `ecdsa`: FIPS 186-5 §6, answered as an ECDSA-Sig-Value in DER (RFC 5480, appendix A), as X.509 has it; JWS has r and s side by side.
   */
  readonly scheme: 'rsassa-pkcs1-v1_5' | 'rsassa-pss' | 'ecdsa'
  /** Of the message. */
  readonly hash: 'sha256' | 'sha384' | 'sha512'
}

/** A private key that stays in its device. */
export interface SigningKey {
  /** Short label for messages: `tpm`, `pkcs11`. */
  readonly name: string
  /** For `node:crypto`, and to compare with the certificate. */
  readonly publicKey: KeyObject
  /** Certificate in DER that lies beside the key, where the device has one. A TPM has none. */
  readonly certificate?: Uint8Array
  /**
   * Signs, and verifies what the device answered against {@link publicKey} before it is returned.
   *
   * @param message What to sign, not its digest; any number of octets. Copied.
   * @param scheme One that this key takes.
   * @param options.signal Ends the waiting.
   * @throws {TypeError} on what is no message or scheme.
   * @returns A fresh signature. RSA: as many octets as the modulus. ECDSA: DER.
   */
  sign(message: Uint8Array, scheme: SignatureScheme, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>
  /** Gives back sessions and handles. A second call does nothing. */
  close(): Promise<void>
}
