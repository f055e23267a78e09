/** Why the server can't do what its owner asked. What clients are answered is in the README. */
export type CredentialServerErrorCode =
  | 'ERR_SERVER_ADDRESS_IN_USE' // somebody listens on this port already; another one is never taken instead
  | 'ERR_SERVER_LISTEN' // the system refused the address or the port for another reason
  | 'ERR_SERVER_PEER_LOOKUP' // `sameUserOnly` is on, and this machine doesn't tell whose a connection is
  | 'ERR_SERVER_CREDENTIAL' // a provider gave no first session; the `cause` is its own error
  | 'ERR_SERVER_TOKEN_FILE' // the authorization token could not be written
  | 'ERR_SERVER_STATE' // not listening yet, or closed

/** Messages name addresses and settings; never a token, the identity header or another secret. */
export class CredentialServerError extends Error {
  override readonly name = 'CredentialServerError'
  readonly code: CredentialServerErrorCode

  constructor(code: CredentialServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
