/** A key of a KMS that decrypts small secrets. */
export interface KeyUnwrapper {
  /** Label of the service, free of secrets: `aws-kms`, `google-kms`. Envelopes repeat it. */
  readonly kms: string
  /** Full name of the key, never an alias: an ARN, `projects/…/cryptoKeys/…`. */
  readonly keyId: string
  /** What ciphertexts are bound to besides the key, as text. Not secret: services log it. */
  readonly context: Readonly<Record<string, string>>
  /**
   * @returns Octets that belong to the caller, who wipes them.
   * @throws {HmacBackendError}
   */
  unwrap(ciphertext: Uint8Array, options: { signal: AbortSignal }): Promise<Uint8Array>
  /** Gives back connections. A second call does nothing. */
  close(): Promise<void>
}

/** A key of a KMS that encrypts as well. */
export interface KeyWrapper extends KeyUnwrapper {
  /** @throws {HmacBackendError} */
  wrap(plaintext: Uint8Array, options: { signal: AbortSignal }): Promise<Uint8Array>
}
