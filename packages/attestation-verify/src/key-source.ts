import type { KeyObject } from 'node:crypto'

/** A public key of an issuer, ready to verify with. */
export interface VerificationKey {
  readonly kid: string
  /** The one JWS algorithm it is for, where its JWK names one. */
  readonly alg: string | undefined
  /** RSA, 2048 bits or more. */
  readonly key: KeyObject
}

/** Where a verifier finds its issuer's keys. */
export interface KeySource {
  /**
   * @param kid From the token's header; not yet trusted, 1 to 128 printable ASCII characters.
   * @returns the key, or `undefined` where the issuer has none of that name.
   * @throws {AttestationError} `ERR_ATTESTATION_KEYS_UNAVAILABLE` when the keys can't be had.
   */
  getKey(kid: string, options?: { signal?: AbortSignal }): Promise<VerificationKey | undefined>
  /** Whether keys are at hand. May start fetching them. */
  ready(): boolean
}
