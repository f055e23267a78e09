/** Why a backend gave no HMAC. One list for all backends, so that a caller need not know which one it has. */
export type HmacBackendErrorCode =
  | 'ERR_HMAC_UNAVAILABLE' // device, token or service is not there, or busy: later it may be
  | 'ERR_HMAC_MODULE' // a driver, module, package or cloud SDK that it needs is missing or may not be loaded
  | 'ERR_HMAC_DENIED' // wrong password, PIN or login: not tried again, an operator is needed
  | 'ERR_HMAC_LOCKED' // the device takes no more tries for now: TPM lockout, PIN locked, or one try left
  | 'ERR_HMAC_POLICY' // the key's policy does not hold: a PCR changed
  | 'ERR_HMAC_KEY' // no such key, more than one, or not one that may be used so
  | 'ERR_HMAC_KNOWN_ANSWER' // another key answers than the one enrolled: not used again
  | 'ERR_HMAC_UNTRUSTED' // the device is not the one that was pinned
  | 'ERR_HMAC_RESPONSE' // its answer is not what the specification says
  | 'ERR_HMAC_OVERLOADED' // too many wait already
  | 'ERR_HMAC_TIMEOUT' // a deadline passed
  | 'ERR_HMAC_ABORTED' // the caller's AbortSignal
  | 'ERR_HMAC_CLOSED' // the backend was closed

const TRY_NEXT: ReadonlySet<HmacBackendErrorCode> = new Set(['ERR_HMAC_UNAVAILABLE', 'ERR_HMAC_MODULE'])

/** Messages name the device, the key and the specification's own error; never a key, password, PIN, token or body. */
export class HmacBackendError extends Error {
  override readonly name = 'HmacBackendError'
  readonly code: HmacBackendErrorCode
  /** All that a chain of AWS providers looks at. */
  readonly tryNextLink: boolean

  constructor(code: HmacBackendErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.tryNextLink = TRY_NEXT.has(code)
  }
}
