/** Why there is no session. A caller's own mistake is a `TypeError` or `RangeError` instead. */
export type RolesAnywhereErrorCode =
  | 'ERR_RA_FILE' // a file is missing, may not be read, or is too large
  | 'ERR_RA_KEY' // a private key that can't be read, found or used, or of a kind that the service does not take
  | 'ERR_RA_PASSWORD' // a password or PIN is missing or wrong; not tried again
  | 'ERR_RA_DEVICE' // a TPM, PKCS#11 token, agent or driver is not there, or does not answer
  | 'ERR_RA_CERTIFICATE' // a certificate that can't be read, or that the service does not take
  | 'ERR_RA_MISMATCH' // the private key is not the certificate's
  | 'ERR_RA_EXPIRED' // a certificate is not valid now: not yet, or no more
  | 'ERR_RA_CHAIN' // intermediates that can't be read, or too many
  | 'ERR_RA_SELECTOR' // a selector or URI that can't be read, or that fits no certificate, or several
  | 'ERR_RA_STORE' // a certificate store that can't be opened, or does not exist on this system
  | 'ERR_RA_CLOCK' // this machine's clock is wrong by more than AWS accepts
  | 'ERR_RA_REFUSED' // the service said no: `awsCode` says why
  | 'ERR_RA_THROTTLED' // too many calls, also when tried again
  | 'ERR_RA_UNREACHABLE' // no connection, a broken one, or a fault of the service, also when tried again
  | 'ERR_RA_UNTRUSTED' // somebody is there, but its certificate or TLS version will not do
  | 'ERR_RA_RESPONSE' // the answer is not one of the service, or not to what was asked
  | 'ERR_RA_TIMEOUT' // the whole took longer than `timeoutMs`
  | 'ERR_RA_ABORTED' // the caller's AbortSignal
  | 'ERR_RA_CLOSED' // the identity was closed

/** What else is known. */
export interface RolesAnywhereErrorOptions extends ErrorOptions {
  readonly awsCode?: string | undefined
  readonly awsMessage?: string | undefined
  readonly requestId?: string | undefined
  readonly status?: number | undefined
}

/**
 * Messages name files, devices, hosts, ARNs and the cure; never a key, a password, a PIN or a token. Of an answer they hold AWS's
 * own code and message, cut and cleaned, and nothing else.
 */
export class RolesAnywhereError extends Error {
  override readonly name = 'RolesAnywhereError'
  readonly code: RolesAnywhereErrorCode
  /** AWS's own code where it sent one: `AccessDeniedException`. */
  readonly awsCode: string | undefined
  /** AWS's own words, cut and cleaned: `Untrusted signing certificate`. */
  readonly awsMessage: string | undefined
  /** AWS's request id, for a case at their support. */
  readonly requestId: string | undefined
  /** HTTP status of the answer, where there was one. */
  readonly status: number | undefined
  /** All that a chain of AWS providers looks at. */
  readonly tryNextLink: boolean

  constructor(code: RolesAnywhereErrorCode, message: string, options: RolesAnywhereErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.awsCode = options.awsCode
    this.awsMessage = options.awsMessage
    this.requestId = options.requestId
    this.status = options.status
    this.tryNextLink = code === 'ERR_RA_UNREACHABLE'
  }
}
