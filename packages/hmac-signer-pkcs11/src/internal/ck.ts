/** Numbers of PKCS #11 v2.40 (pkcs11t.h), as far as an HMAC key needs them. */
export const CKM_SHA256_HMAC = 0x251
export const CKO_SECRET_KEY = 4
export const CKK = { 'generic-secret': 0x10, 'sha256-hmac': 0x2b } as const
export const CKA = {
  CLASS: 0x0,
  TOKEN: 0x1,
  PRIVATE: 0x2,
  LABEL: 0x3,
  VALUE: 0x11,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  ENCRYPT: 0x104,
  DECRYPT: 0x105,
  WRAP: 0x106,
  UNWRAP: 0x107,
  SIGN: 0x108,
  VERIFY: 0x10a,
  DERIVE: 0x10c,
  EXTRACTABLE: 0x162,
} as const
