/**
 * Where attestation tokens come from. Any TEE can be added by implementing this one method; the default is the
 * Confidential Space launcher.
 */
export interface AttestationSource {
  /** Short label for errors: `confidential-space`. */
  readonly name: string
  /**
   * @param request `audience`: up to 512 octets; `nonces`: 1 to 6 ASCII strings of 10 to 74 octets, which the hardware
   * evidence must commit to.
   * @returns The token as it is sent to the broker, for Confidential Space a compact JWS.
   * @throws {BrokerClientError} `ERR_ATTESTATION_UNAVAILABLE` when this machine is not in such a TEE,
   * `ERR_ATTESTATION_REFUSED` when the TEE answered but gave no token.
   */
  getToken(request: { audience: string; nonces: readonly string[]; signal?: AbortSignal }): Promise<string>
}
