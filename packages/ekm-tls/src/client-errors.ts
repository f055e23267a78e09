/** What can go wrong between a workload and its broker, beside the connection itself ({@link EkmTlsError}). */
export type BrokerClientErrorCode =
  | 'ERR_ATTESTATION_UNAVAILABLE' // no launcher here: probably not a confidential VM
  | 'ERR_ATTESTATION_SOCKET' // the launcher's socket could belong to somebody else
  | 'ERR_ATTESTATION_REFUSED' // the launcher answered, but gave no token
  | 'ERR_BROKER_REFUSED' // the broker said no: `refusal` says how
  | 'ERR_BROKER_RESPONSE' // the broker's answer is not what the protocol says

/** The broker's public answer to a refused request. */
export interface BrokerRefusal {
  /** HTTP status. */
  readonly status: number
  /** The broker's error code, such as `policy_denied`; `unknown` where it sent none that can be read. */
  readonly code: string
  /** For the operator of the broker, who finds the reason under it; `undefined` where it sent none. */
  readonly requestId: string | undefined
  /** From `Retry-After`, seconds; `undefined` where there is none. */
  readonly retryAfterSeconds: number | undefined
}

/** Messages name the broker's code and request id; never a token, a key or a body. */
export class BrokerClientError extends Error {
  override readonly name = 'BrokerClientError'
  readonly code: BrokerClientErrorCode
  /** Set with `ERR_BROKER_REFUSED`. */
  readonly refusal: BrokerRefusal | undefined

  constructor(code: BrokerClientErrorCode, message: string, options?: ErrorOptions & { refusal?: BrokerRefusal }) {
    super(message, options)
    this.code = code
    this.refusal = options?.refusal
  }
}
