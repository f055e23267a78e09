/** Hash of a signature. CreateSession signs with `sha256`, whatever the key. */
export type SignatureHash = 'sha256' | 'sha384' | 'sha512'

/** Kind of a private key, as far as IAM Roles Anywhere has a signature algorithm for it. */
export type X509KeyType = 'rsa' | 'ec' | 'ml-dsa'

/** One generation of an identity: certificate, chain and key that belong together. */
export interface X509Identity {
  /** The leaf, DER. */
  readonly certificate: Uint8Array
  /** Intermediates, DER, the issuer of the leaf first; neither the leaf nor roots. */
  readonly chain: readonly Uint8Array[]
  /** Of the private key. */
  readonly keyType: X509KeyType
  /**
   * Signs a message, which it hashes itself. RSA: RSASSA-PKCS1-v1_5. EC: ECDSA, as DER `SEQUENCE { r, s }`. ML-DSA: pure, empty
   * context, deterministic; `hash` does not matter.
   *
   * @returns Fresh octets; the caller owns them.
   * @see {@link https://www.rfc-editor.org/rfc/rfc8017#section-8.2 RFC 8017, section 8.2}
   * @see {@link https://doi.org/10.6028/NIST.FIPS.204 FIPS 204}
   */
  sign(message: Uint8Array, hash: SignatureHash, options?: { signal?: AbortSignal }): Promise<Uint8Array>
}

/** Where identities come from. It is asked for every session, so that renewed files are picked up whole. */
export interface X509IdentitySource {
  /** Short label for messages, free of secrets: `pem`, `pkcs12`, `pkcs11`, `tpm`, `spiffe`, `buffer`. */
  readonly name: string
  /** The present generation; never the key of one and the certificate of another. */
  current(options?: { signal?: AbortSignal }): Promise<X509Identity>
  /** Gives back sessions and handles, and forgets keys. A second call does nothing. */
  close(): Promise<void>
}
