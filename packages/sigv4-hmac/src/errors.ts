/** Why nothing was signed. What a backend has to say is an {@link HmacBackendError}. */
export type SigV4ErrorCode =
  | 'ERR_SIGV4_DAY' // a day that is not today, yesterday or tomorrow (UTC): the backend was not asked
  | 'ERR_SIGV4_CLOCK' // somebody wants another time signed than this machine's clock shows, by more than 5 minutes
  | 'ERR_SIGV4_UNSUPPORTED' // asymmetric SigV4A, event streams, S3 Express sessions: not an HMAC of this key over a request

/** Messages name days, regions and services; never a key, a tag or a request. */
export class SigV4Error extends Error {
  override readonly name = 'SigV4Error'
  readonly code: SigV4ErrorCode

  constructor(code: SigV4ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
