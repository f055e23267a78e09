import type { BrokerRefusal } from '@hardbound/ekm-tls/client'

/** Why there is no token. */
export type EkmCredentialErrorCode =
  | 'ERR_EKM_NOT_ATTESTABLE' // no launcher on this machine: the next credential may try
  | 'ERR_EKM_ATTESTATION_FAILED' // the launcher is there, and gave no token
  | 'ERR_EKM_BROKER_UNREACHABLE' // nobody there, or overloaded: the next credential may try
  | 'ERR_EKM_BROKER_UNTRUSTED' // somebody is there, but not the broker that was pinned
  | 'ERR_EKM_BROKER_REFUSED' // it said no: stop
  | 'ERR_EKM_RESPONSE' // its answer is not what the protocol says
  | 'ERR_EKM_IDENTITY_MISMATCH' // the token is of another tenant or application, or for another resource
  | 'ERR_EKM_TIMEOUT' // the whole took longer than `timeoutMs`
  | 'ERR_EKM_SCOPE' // not exactly one scope that ends in `/.default`
  | 'ERR_EKM_UNSUPPORTED' // a claims challenge, another tenant, proof of possession

const TRY_NEXT: ReadonlySet<EkmCredentialErrorCode> = new Set(['ERR_EKM_NOT_ATTESTABLE', 'ERR_EKM_BROKER_UNREACHABLE'])

/** Messages name the broker, the scope and the broker's own code; never a token, an EKM value or a body. */
export class EkmCredentialError extends Error {
  /** All that `ChainedTokenCredential` looks at: after the first of the two it goes on, after the other it stops. */
  override readonly name: 'CredentialUnavailableError' | 'AuthenticationError'
  readonly code: EkmCredentialErrorCode
  /** What the broker said, where it said no. */
  readonly refusal: BrokerRefusal | undefined
  /** As in `AuthenticationError` of `@azure/identity`: HTTP status of the broker's refusal. */
  readonly statusCode: number | undefined
  /** As in `AuthenticationError`: the broker's code (or ours), this message, and the broker's request id. */
  readonly errorResponse: { readonly error: string; readonly errorDescription: string; readonly correlationId?: string }

  constructor(
    code: EkmCredentialErrorCode,
    message: string,
    options?: ErrorOptions & { refusal?: BrokerRefusal | undefined },
  ) {
    super(message, options)
    const refusal = options?.refusal
    const tryNext = TRY_NEXT.has(code)
    this.name = tryNext ? 'CredentialUnavailableError' : 'AuthenticationError'
    this.code = code
    this.refusal = refusal
    // Not on a 503: clients of Azure Storage would take it for the storage's and try all over again.
    this.statusCode = tryNext ? undefined : refusal?.status
    this.errorResponse = {
      error: refusal?.code ?? code,
      errorDescription: message,
      ...(refusal?.requestId === undefined ? {} : { correlationId: refusal.requestId }),
    }
  }
}
