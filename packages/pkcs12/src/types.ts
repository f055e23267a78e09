/** What a PKCS #12 file has, each in the order of the file. */
export interface Pkcs12Contents {
  /** Private keys as PrivateKeyInfo (PKCS #8) in DER. They are the caller's, to be wiped. */
  readonly keys: readonly Pkcs12Entry[]
  /** X.509 certificates in DER. */
  readonly certificates: readonly Pkcs12Entry[]
}

/** A key or certificate, with what the file says it belongs to. */
export interface Pkcs12Entry {
  /** The element with its tag and length. */
  readonly der: Buffer
  /** In lower-case hexadecimal; the same for a key and its certificate. Undefined where there is none. */
  readonly localKeyId: string | undefined
}
