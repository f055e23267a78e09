/** HMAC-SHA-256 under one key that never leaves the backend. For SigV4 that key is `AWS4<secret access key>`. */
export interface HmacBackend {
  /** Short label for errors and logs, free of secrets: `software`, `tpm`, `pkcs11`, `vault`, `kms`. */
  readonly name: string
  /**
   * @param message Octets to authenticate. SigV4 sends 8: the UTC day as `YYYYMMDD`.
   * @returns A fresh 32-octet tag; the caller owns it and may zero it.
   * @throws {HmacBackendError}
   * @see {@link https://www.rfc-editor.org/rfc/rfc2104#section-2 RFC 2104, section 2}
   */
  hmacSha256(message: Uint8Array, options?: { signal?: AbortSignal }): Promise<Uint8Array>
  /** Gives back sessions and handles, and calls `forgetSigningKeys`. A second call does nothing. */
  close(): Promise<void>
}
