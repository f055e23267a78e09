import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'
import { Tpm2Error, type Tpm2ErrorCode } from '@hardbound/tpm2'

const CODES: Readonly<Record<Tpm2ErrorCode, HmacBackendErrorCode>> = {
  ERR_TPM_UNREACHABLE: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_DEVICE: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_SLOTS: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_BUSY: 'ERR_HMAC_UNAVAILABLE',
  ERR_TPM_CLOSED: 'ERR_HMAC_UNAVAILABLE', // not by us: the connection went in the middle of our work
  ERR_TPM_RESPONSE: 'ERR_HMAC_RESPONSE',
  ERR_TPM_RC: 'ERR_HMAC_KEY', // see below
  ERR_TPM_AUTH_FAIL: 'ERR_HMAC_DENIED',
  ERR_TPM_LOCKOUT: 'ERR_HMAC_LOCKED',
  ERR_TPM_POLICY_FAIL: 'ERR_HMAC_POLICY',
  ERR_TPM_TIMEOUT: 'ERR_HMAC_TIMEOUT',
  ERR_TPM_ABORTED: 'ERR_HMAC_ABORTED',
  ERR_TPM_UNTRUSTED: 'ERR_HMAC_UNTRUSTED',
  ERR_TPM_KEY_FILE: 'ERR_HMAC_KEY',
}

/** What the TPM says, in the words of all backends. */
export function toHmacError(cause: unknown): unknown {
  if (!(cause instanceof Tpm2Error)) return cause
  return new HmacBackendError(codeOf(cause), `tpm: ${cause.message}`, { cause })
}

function codeOf({ code, rc }: Tpm2Error): HmacBackendErrorCode {
  if (code === 'ERR_TPM_RC' && !isAboutTheKey(rc)) return 'ERR_HMAC_UNAVAILABLE'
  if (code === 'ERR_TPM_AUTH_FAIL' && !isAboutThePassword(rc)) return 'ERR_HMAC_RESPONSE'
  return CODES[code]
}

/**
 * Part 2 §6.6: codes of format 1 complain of a handle, parameter or session, TPM_RC_NV_DEFINED of a persistent handle that is taken,
 * TPM_RC_REFERENCE_H0 to _H6 of handles that are not there.
 */
const isAboutTheKey = (rc = 0): boolean => (rc & 0x80) !== 0 || rc === 0x14c || (rc >= 0x910 && rc <= 0x916)

/**
 * The first session is the one that authorises. Of another one, which encrypts, it is the HMAC that is wrong: the command was changed on
 * its way.
 */
const isAboutThePassword = (rc = 0): boolean => (rc & 0x40) === 0 && ((rc & 0x800) === 0 || ((rc >> 8) & 7) === 1)

/** What no second try mends: a person has to look. Trying again would only count towards the TPM's lockout. */
const FINAL: ReadonlySet<string> = new Set<HmacBackendErrorCode>([
  'ERR_HMAC_DENIED',
  'ERR_HMAC_POLICY',
  'ERR_HMAC_KNOWN_ANSWER',
  'ERR_HMAC_UNTRUSTED',
])

export const isFinal = (error: unknown): error is HmacBackendError =>
  error instanceof HmacBackendError && FINAL.has(error.code)
