/** All that can go wrong between a program and its TPM. */
export type Tpm2ErrorCode =
  | 'ERR_TPM_UNREACHABLE' // nobody there, or the connection broke
  | 'ERR_TPM_DEVICE' // there, but not usable: no permission, busy, not a character device
  | 'ERR_TPM_RESPONSE' // the answer is malformed, or its HMAC or signature is wrong
  | 'ERR_TPM_RC' // the TPM refused: `rc` says why, the message has the specification's name of it
  | 'ERR_TPM_AUTH_FAIL' // wrong password or authorisation value
  | 'ERR_TPM_LOCKOUT' // too many wrong passwords: the TPM refuses all of them for a while, or would after one more
  | 'ERR_TPM_POLICY_FAIL' // the object's policy is not satisfied, or not made of what it is tried with, or a PCR changed
  | 'ERR_TPM_SLOTS' // no room for another object or session
  | 'ERR_TPM_BUSY' // the TPM asked for a retry too often
  | 'ERR_TPM_TIMEOUT' // no answer in time; the connection is given up
  | 'ERR_TPM_ABORTED' // the caller's AbortSignal
  | 'ERR_TPM_CLOSED' // used after close(), or an object of a connection that has gone
  | 'ERR_TPM_UNTRUSTED' // the key is not the one whose name was pinned
  | 'ERR_TPM_KEY_FILE' // a TSS2 PRIVATE KEY file that can't be read
  | 'ERR_TPM_KEY' // not there, of another parent or TPM, or not for this use
  | 'ERR_TPM_KEY_CHANGED' // another key is there than the one that was opened
  | 'ERR_TPM_SCHEME' // the key, or the TPM, does not sign in the way that was asked for
  | 'ERR_TPM_OVERLOADED' // too many wait already

/** Messages name commands, handles and response codes; never a password, a key, a MAC or the octets of an answer. */
export class Tpm2Error extends Error {
  override readonly name = 'Tpm2Error'
  readonly code: Tpm2ErrorCode
  /** The TPM_RC as the TPM sent it (Part 2 §6.6), where it sent one. */
  readonly rc: number | undefined

  constructor(code: Tpm2ErrorCode, message: string, options?: ErrorOptions & { rc?: number }) {
    super(message, options)
    this.code = code
    this.rc = options?.rc
  }
}
