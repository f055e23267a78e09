/**
 * Every check a verifier makes, in the closed list that audit records and `explain` use. `jwt.*` and `pki.*` say that the
 * token is not an authentic, current token for us; `claim.*` says that it is, and that the workload is not acceptable.
 */
export type AttestationCheck =
  | 'jwt.size' // over 16 KiB
  | 'jwt.format' // not three segments
  | 'jwt.encoding' // not canonical base64url (RFC 7515 §2, RFC 4648 §5)
  | 'jwt.duplicate_key' // the same JSON key twice
  | 'jwt.depth' // nested deeper than 16
  | 'jwt.payload' // not a JSON object in UTF-8
  | 'jwt.header' // a header parameter that has no place here: jwk, jku, x5u, x5c in an OIDC token …
  | 'jwt.alg'
  | 'jwt.typ' // `typ` is not JWT, or the token is of a kind made for someone else: AWS principal tags
  | 'jwt.crit'
  | 'jwt.kid'
  | 'jwt.iss' // before the key, which it chooses
  | 'pki.chain'
  | 'pki.root'
  | 'pki.validity'
  | 'jwt.key' // no such key, or the key is too weak
  | 'jwt.sig'
  | 'jwt.aud'
  | 'jwt.exp'
  | 'jwt.time' // nbf, iat, age
  | 'jwt.nonce' // eat_nonce is not a string or an array of strings
  | 'claim.format' // a claim of a wrong JSON type
  | 'claim.eat_profile'
  | 'claim.swname'
  | 'claim.dbgstat'
  | 'claim.secboot'
  | 'claim.oemid'
  | 'claim.hwmodel'
  | 'claim.support_attributes'
  | 'claim.tcb_status'
  | 'claim.policy_hash' // Azure Attestation: not the pinned policy
  | 'claim.attestation_type'

/** Why a token was not accepted. */
export type AttestationErrorCode =
  | 'ERR_ATTESTATION_REJECTED' // the token is bad: `check` says why
  | 'ERR_ATTESTATION_KEYS_UNAVAILABLE' // the issuer's keys could not be had: try again later

/** Messages name the check; never the token, a claim's value or a key. */
export class AttestationError extends Error {
  override readonly name = 'AttestationError'
  readonly code: AttestationErrorCode
  /** Which check failed; `undefined` where keys were unavailable. */
  readonly check: AttestationCheck | undefined

  constructor(
    code: AttestationErrorCode,
    check: AttestationCheck | undefined,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.check = check
  }
}
