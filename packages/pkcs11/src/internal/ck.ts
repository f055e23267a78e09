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

/** CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION: nobody is logged in. */
export const PUBLIC_SESSION: readonly number[] = [0, 2]

/** Classes of objects, by the names that a URI's `type` has for them (RFC 7512, section 2.3). */
export const OBJECT_CLASS = { data: 0, cert: 1, public: 2, private: 3, 'secret-key': 4 } as const

export const CKA = {
  CLASS: 0x0,
  LABEL: 0x3,
  ID: 0x102,
} as const
