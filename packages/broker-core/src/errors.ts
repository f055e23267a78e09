/** The public codes, with the HTTP status each is answered with. Nothing else ever reaches a client. */
export const BROKER_STATUS = Object.freeze({
  invalid_request: 400,
  attestation_rejected: 401,
  binding_mismatch: 401,
  policy_denied: 403,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  request_timeout: 408,
  replayed: 409,
  length_required: 411,
  payload_too_large: 413,
  unsupported_media_type: 415,
  expectation_failed: 417,
  misdirected_request: 421,
  rate_limited: 429,
  headers_too_large: 431,
  internal: 500,
  upstream_rejected: 502,
  upstream_unavailable: 503,
  jwks_unavailable: 503,
  audit_unavailable: 503,
  signer_unavailable: 503,
  overloaded: 503,
  shutting_down: 503,
  upstream_timeout: 504,
})

export type BrokerErrorCode = keyof typeof BROKER_STATUS

/** Options of {@link BrokerError}. */
export interface BrokerErrorOptions extends ErrorOptions {
  retryAfterSeconds?: number
  facts?: Readonly<Record<string, string | number>>
}

/** A refusal: the public code, and a reason that only audit sees. Neither holds a secret. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: BrokerErrorCode
  /** Fine-grained and from our own vocabulary: `binding.ekm`, `claim.dbgstat`, `upstream.format` … */
  readonly reason: string
  /** Seconds the client should wait, where trying again makes sense. */
  readonly retryAfterSeconds: number | undefined
  /** What else audit should know, such as the id of the upstream's answer. No secret, no upstream text. */
  readonly facts: Readonly<Record<string, string | number>>

  constructor(code: BrokerErrorCode, reason: string, options: BrokerErrorOptions = {}) {
    super(`${code} (${reason})`, options)
    this.code = code
    this.reason = reason
    this.retryAfterSeconds = options.retryAfterSeconds
    this.facts = options.facts ?? {}
  }

  /** HTTP status of {@link BrokerError.code}. */
  get status(): number {
    return BROKER_STATUS[this.code]
  }
}
