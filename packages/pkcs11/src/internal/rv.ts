/** Return values that are looked at or likely to be met. PKCS #11 v2.40, section 3.7 and pkcs11t.h. */
export const CKR = {
  OK: 0x0,
  CANCEL: 0x1,
  HOST_MEMORY: 0x2,
  SLOT_ID_INVALID: 0x3,
  GENERAL_ERROR: 0x5,
  FUNCTION_FAILED: 0x6,
  ARGUMENTS_BAD: 0x7,
  CANT_LOCK: 0xa,
  ATTRIBUTE_READ_ONLY: 0x10,
  ATTRIBUTE_SENSITIVE: 0x11,
  ATTRIBUTE_TYPE_INVALID: 0x12,
  ATTRIBUTE_VALUE_INVALID: 0x13,
  ACTION_PROHIBITED: 0x1b,
  DATA_INVALID: 0x20,
  DATA_LEN_RANGE: 0x21,
  DEVICE_ERROR: 0x30,
  DEVICE_MEMORY: 0x31,
  DEVICE_REMOVED: 0x32,
  FUNCTION_CANCELED: 0x50,
  FUNCTION_NOT_SUPPORTED: 0x54,
  KEY_HANDLE_INVALID: 0x60,
  KEY_SIZE_RANGE: 0x62,
  KEY_TYPE_INCONSISTENT: 0x63,
  KEY_FUNCTION_NOT_PERMITTED: 0x68,
  MECHANISM_INVALID: 0x70,
  MECHANISM_PARAM_INVALID: 0x71,
  OBJECT_HANDLE_INVALID: 0x82,
  OPERATION_ACTIVE: 0x90,
  OPERATION_NOT_INITIALIZED: 0x91,
  PIN_INCORRECT: 0xa0,
  PIN_INVALID: 0xa1,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  SESSION_CLOSED: 0xb0,
  SESSION_COUNT: 0xb1,
  SESSION_HANDLE_INVALID: 0xb3,
  SESSION_READ_ONLY: 0xb5,
  TEMPLATE_INCOMPLETE: 0xd0,
  TEMPLATE_INCONSISTENT: 0xd1,
  TOKEN_NOT_PRESENT: 0xe0,
  TOKEN_NOT_RECOGNIZED: 0xe1,
  TOKEN_WRITE_PROTECTED: 0xe2,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  USER_PIN_NOT_INITIALIZED: 0x102,
  USER_ANOTHER_ALREADY_LOGGED_IN: 0x104,
  BUFFER_TOO_SMALL: 0x150,
  CRYPTOKI_NOT_INITIALIZED: 0x190,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const

const NAMES = new Map<number, string>(Object.entries(CKR).map(([name, rv]) => [rv, `CKR_${name}`]))

/** `CKR_PIN_INCORRECT`, or a number where it has no name here: `CKR 0x80000001`. */
export function nameOfRv(rv: number): string {
  return NAMES.get(rv) ?? `CKR 0x${rv.toString(16).padStart(8, '0')}`
}

/** How much is lost when a module answers with this: `token` is every session, handle and login, and perhaps the slot's number. */
export type Loss = 'none' | 'session' | 'token'

const LOSSES = new Map<number, Loss>([
  [CKR.SESSION_CLOSED, 'session'],
  [CKR.SESSION_HANDLE_INVALID, 'session'],
  [CKR.OPERATION_ACTIVE, 'session'],
  [CKR.USER_NOT_LOGGED_IN, 'token'],
  [CKR.DEVICE_REMOVED, 'token'],
  [CKR.DEVICE_ERROR, 'token'],
  [CKR.TOKEN_NOT_PRESENT, 'token'],
  [CKR.TOKEN_NOT_RECOGNIZED, 'token'],
  [CKR.SLOT_ID_INVALID, 'token'],
  [CKR.CRYPTOKI_NOT_INITIALIZED, 'token'],
  // SoftHSM, and clients of network HSMs, say no more than this once their token is gone.
  [CKR.GENERAL_ERROR, 'token'],
  [CKR.KEY_HANDLE_INVALID, 'token'],
  [CKR.OBJECT_HANDLE_INVALID, 'token'],
])

export const lossOf = (rv: number | undefined): Loss => (rv === undefined ? 'none' : (LOSSES.get(rv) ?? 'none'))
