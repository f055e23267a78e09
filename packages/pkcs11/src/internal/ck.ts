/** Numbers of PKCS #11 v2.40 (pkcs11t.h), as far as they are used. Not taken from pkcs11js, which may not be there. */
export const CKF = {
  // CK_TOKEN_INFO
  WRITE_PROTECTED: 0x2,
  LOGIN_REQUIRED: 0x4,
  USER_PIN_INITIALIZED: 0x8,
  PROTECTED_AUTHENTICATION_PATH: 0x100,
  TOKEN_INITIALIZED: 0x400,
  USER_PIN_COUNT_LOW: 0x10000,
  USER_PIN_FINAL_TRY: 0x20000,
  USER_PIN_LOCKED: 0x40000,
  // CK_SESSION_INFO
  RW_SESSION: 0x2,
  SERIAL_SESSION: 0x4,
  // CK_C_INITIALIZE_ARGS
  OS_LOCKING_OK: 0x2,
} as const

export const CKU_USER = 1
/** For one operation with one key. */
export const CKU_CONTEXT_SPECIFIC = 2

/** CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION: nobody is logged in. */
export const PUBLIC_SESSION: readonly number[] = [0, 2]

/** Classes of objects, by the names that a URI's `type` has for them (RFC 7512, section 2.3). */
export const OBJECT_CLASS = { data: 0, cert: 1, public: 2, private: 3, 'secret-key': 4 } as const

export const CKA = {
  CLASS: 0x0,
  PRIVATE: 0x2,
  LABEL: 0x3,
  VALUE: 0x11,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  SIGN: 0x108,
  MODULUS: 0x120,
  PUBLIC_EXPONENT: 0x122,
  PUBLIC_KEY_INFO: 0x129,
  EXTRACTABLE: 0x162,
  EC_PARAMS: 0x180,
  EC_POINT: 0x181,
  ALWAYS_AUTHENTICATE: 0x202,
} as const

export const CKK = { RSA: 0x0, EC: 0x3 } as const

/** CK_PARAMS_RSA_PSS: a number of pkcs11js. */
export const PARAMS_RSA_PSS = 5
