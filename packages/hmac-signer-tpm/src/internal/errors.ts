import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'
import { Tpm2Error, type Tpm2ErrorCode } from '@hardbound/tpm2'

const CODES: Readonly<Record<Tpm2ErrorCode, HmacBackendErrorCode>> = {
  ERR_TPM_UNREACHABLE: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_DEVICE: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_SLOTS: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_BUSY: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_RC: 'ERR_HMAC_UNAVAILABLE', // nothing about the key, else it would be ERR_TPM_KEY
  ERR_TPM_RESPONSE: 'ERR_HMAC_RESPONSE',
  ERR_TPM_KEY: 'ERR_HMAC_KEY',
  ERR_TPM_KEY_FILE: 'ERR_HMAC_KEY',
  ERR_TPM_KEY_CHANGED: 'ERR_HMAC_KNOWN_ANSWER',
  ERR_TPM_SCHEME: 'ERR_HMAC_KEY',
  ERR_TPM_AUTH_FAIL: 'ERR_HMAC_DENIED',
  ERR_TPM_LOCKOUT: 'ERR_HMAC_LOCKED',
  ERR_TPM_POLICY_FAIL: 'ERR_HMAC_POLICY',
  ERR_TPM_UNTRUSTED: 'ERR_HMAC_UNTRUSTED',
  ERR_TPM_OVERLOADED: 'ERR_HMAC_OVERLOADED',
  ERR_TPM_TIMEOUT: 'ERR_HMAC_TIMEOUT',
  ERR_TPM_ABORTED: 'ERR_HMAC_ABORTED',
  ERR_TPM_CLOSED: 'ERR_HMAC_CLOSED',
}

/** What the TPM says, in the words of all backends. */
export function rethrow(cause: unknown): never {
  if (!(cause instanceof Tpm2Error)) throw cause
  throw new HmacBackendError(CODES[cause.code], `tpm: ${cause.message}`, { cause })
}

/** What no second try mends, besides what a TPM says: a person has to look. */
export const isFinal = (error: unknown): boolean =>
  error instanceof HmacBackendError && error.code === 'ERR_HMAC_KNOWN_ANSWER'
