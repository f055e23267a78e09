/** Why there are no credentials. */
export type EkmCredentialErrorCode =
  | 'ERR_EKM_NOT_ATTESTABLE' // no launcher on this machine: the next provider may try
  | 'ERR_EKM_ATTESTATION_FAILED' // the launcher is there, and gave no token
  | 'ERR_EKM_BROKER_UNREACHABLE' // nobody there, or overloaded: the next provider may try
  | 'ERR_EKM_BROKER_UNTRUSTED' // somebody is there, but not the broker that was pinned
  | 'ERR_EKM_BROKER_REFUSED' // it said no: stop
  | 'ERR_EKM_RESPONSE' // its answer is not what the protocol says, or not for the role that was asked for
  | 'ERR_EKM_IDENTITY_MISMATCH' // the keys belong to somebody else
  | 'ERR_EKM_TIMEOUT' // the whole took longer than `timeoutMs`

const TRY_NEXT: ReadonlySet<EkmCredentialErrorCode> = new Set(['ERR_EKM_NOT_ATTESTABLE', 'ERR_EKM_BROKER_UNREACHABLE'])

/** Messages name the broker, the role and the broker's own code; never a token, a key, an EKM value or a body. */
export class EkmCredentialError extends Error {
  override readonly name = 'EkmCredentialError'
  readonly code: EkmCredentialErrorCode
  /** All that a chain of AWS providers looks at. */
  readonly tryNextLink: boolean

  constructor(code: EkmCredentialErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.tryNextLink = TRY_NEXT.has(code)
  }
}
