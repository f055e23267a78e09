import type { X509IdentitySource } from '../types.ts'

/** A certificate in a store. */
export interface StoredCertificate {
  /** DER, as it lies there: it may be anything. */
  readonly certificate: Uint8Array
  /** Where it lies, for messages and for finding it again: a path, or a PKCS #11 URI without a PIN. */
  readonly location: string
  /** PKCS #11 URI; tokens have it alone. */
  readonly uri?: string | undefined
}

/** A place with certificates and their private keys. */
export interface CertificateStore {
  /** Short label for messages: `pem-folder`, `pkcs12`, `pkcs11`. */
  readonly name: string
  /**
   * What is there now, certificates of authorities too.
   *
   * @throws {RolesAnywhereError}
   */
  list(options?: { signal?: AbortSignal }): Promise<readonly StoredCertificate[]>
  /**
   * Finds the private key of one that was listed. The caller closes what it gets.
   *
   * @throws {RolesAnywhereError} `ERR_RA_MISMATCH` where there is none; some stores say so only when the identity is first used.
   */
  open(certificate: StoredCertificate, options?: { signal?: AbortSignal }): Promise<X509IdentitySource>
  /** Forgets passwords. Identities that were opened go on. */
  close(): Promise<void>
}
