import { Pkcs11Error, type Pkcs11ErrorCode } from '@hardbound/pkcs11'
import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'

const CODES: Readonly<Record<Pkcs11ErrorCode, HmacBackendErrorCode>> = {
  ERR_PKCS11_ADDON: 'ERR_HMAC_MODULE',
  ERR_PKCS11_MODULE: 'ERR_HMAC_MODULE',
  ERR_PKCS11_TOKEN_ABSENT: 'ERR_HMAC_UNAVAILABLE',
  ERR_PKCS11_TOKEN_AMBIGUOUS: 'ERR_HMAC_KEY',
  ERR_PKCS11_DEVICE: 'ERR_HMAC_UNAVAILABLE',
  ERR_PKCS11_PIN: 'ERR_HMAC_DENIED',
  ERR_PKCS11_PIN_INCORRECT: 'ERR_HMAC_DENIED',
  ERR_PKCS11_PIN_COUNT_LOW: 'ERR_HMAC_LOCKED',
  ERR_PKCS11_PIN_FINAL_TRY: 'ERR_HMAC_LOCKED',
  ERR_PKCS11_PIN_LOCKED: 'ERR_HMAC_LOCKED',
  ERR_PKCS11_OBJECT: 'ERR_HMAC_KEY',
  ERR_PKCS11_KEY: 'ERR_HMAC_KEY',
  ERR_PKCS11_SIGNATURE: 'ERR_HMAC_RESPONSE',
  ERR_PKCS11_RV: 'ERR_HMAC_UNAVAILABLE',
  ERR_PKCS11_OVERLOADED: 'ERR_HMAC_OVERLOADED',
  ERR_PKCS11_TIMEOUT: 'ERR_HMAC_TIMEOUT',
  ERR_PKCS11_ABORTED: 'ERR_HMAC_ABORTED',
  ERR_PKCS11_CLOSED: 'ERR_HMAC_CLOSED',
}

/** Return values that say that the key, and not the device, is the trouble. PKCS #11 v2.40, section 5.1. */
const ABOUT_THE_KEY = new Set([
  0x13, // CKR_ATTRIBUTE_VALUE_INVALID
  0x62, // CKR_KEY_SIZE_RANGE
  0x63, // CKR_KEY_TYPE_INCONSISTENT
  0x68, // CKR_KEY_FUNCTION_NOT_PERMITTED
  0x70, // CKR_MECHANISM_INVALID
  0xd0, // CKR_TEMPLATE_INCOMPLETE
  0xd1, // CKR_TEMPLATE_INCONSISTENT
])

/** What every backend throws, with the token's own error as its cause. A caller's mistake stays what it is. */
export function toHmacError(error: unknown): unknown {
  if (!(error instanceof Pkcs11Error)) return error
  const aboutKey = error.code === 'ERR_PKCS11_RV' && error.rv !== undefined && ABOUT_THE_KEY.has(error.rv)
  return new HmacBackendError(aboutKey ? 'ERR_HMAC_KEY' : CODES[error.code], `pkcs11: ${error.message}`, {
    cause: error,
  })
}
