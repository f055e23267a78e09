/** Why STS gave no session. What a backend has to say is an {@link HmacBackendError}. */
export type StsErrorCode =
  | 'ERR_STS_UNREACHABLE' // no connection, a broken one, or an internal error of STS, also when tried again
  | 'ERR_STS_UNTRUSTED' // somebody is there, but its certificate or TLS version will not do
  | 'ERR_STS_REFUSED' // STS said no: `awsCode` says why
  | 'ERR_STS_CLOCK' // STS said no because this machine's clock is wrong; it is not corrected silently
  | 'ERR_STS_THROTTLED' // too many calls, also when tried again
  | 'ERR_STS_RESPONSE' // the answer is not one of STS, or not to what was asked
  | 'ERR_STS_TIMEOUT' // the whole took longer than `timeoutMs`
  | 'ERR_STS_ABORTED' // the caller's AbortSignal

/** What else is known. */
export interface StsErrorOptions {
  readonly awsCode?: string | undefined
  readonly retryAfterSeconds?: number | undefined
}

/** Messages name the host, the action, AWS's code and its request id; never a key, a token, a parameter or a response body. */
export class StsError extends Error {
  override readonly name = 'StsError'
  readonly code: StsErrorCode
  /** AWS's own code where it sent one: `AccessDenied`, `MalformedPolicyDocument`. */
  readonly awsCode: string | undefined
  /** How long STS asks to be left alone, where it said so. */
  readonly retryAfterSeconds: number | undefined
  /** All that a chain of AWS providers looks at. */
  readonly tryNextLink: boolean

  constructor(code: StsErrorCode, message: string, { awsCode, retryAfterSeconds }: StsErrorOptions = {}) {
    super(message)
    this.code = code
    this.awsCode = awsCode
    this.retryAfterSeconds = retryAfterSeconds
    this.tryNextLink = code === 'ERR_STS_UNREACHABLE'
  }
}
