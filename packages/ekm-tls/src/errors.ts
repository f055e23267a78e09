/** All that can go wrong with an attested connection, and with asking a broker over it. */
export type EkmTlsErrorCode =
  | 'ERR_EKM_UNREACHABLE' // no TCP connection, or the proxy could not make one: another endpoint may work
  | 'ERR_EKM_TLS' // the handshake failed
  | 'ERR_EKM_UNTRUSTED' // the peer's certificate is not the one that was pinned, or not for this name
  | 'ERR_EKM_PROTOCOL_VERSION' // not TLS 1.3
  | 'ERR_EKM_RESUMED' // the TLS session was resumed, so its keying material is not fresh
  | 'ERR_EKM_ALPN' // the peer does not speak HTTP/1.1
  | 'ERR_EKM_NOT_ESTABLISHED' // keying material asked for before the handshake ended, or after the socket was gone
  | 'ERR_EKM_PROXY' // the proxy refused to CONNECT
  | 'ERR_EKM_TIMEOUT' // a deadline passed
  | 'ERR_EKM_ABORTED' // the caller's AbortSignal
  | 'ERR_EKM_CLOSED' // the connection ended before the answer was whole
  | 'ERR_EKM_RESPONSE' // the answer is too large, or not HTTP as agreed

/** Messages name hosts and lengths; never keying material, tokens, keys or bodies. */
export class EkmTlsError extends Error {
  override readonly name = 'EkmTlsError'
  readonly code: EkmTlsErrorCode

  constructor(code: EkmTlsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
