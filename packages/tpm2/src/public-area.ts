import type { Curve, HashAlgorithm } from './algorithms.ts'

/** TPMA_OBJECT (Part 2 §8.3), by bit. Reserved bits are not known here, and refused. */
export const OBJECT_ATTRIBUTES = {
  fixedTPM: 1,
  stClear: 2,
  fixedParent: 4,
  sensitiveDataOrigin: 5,
  userWithAuth: 6,
  adminWithPolicy: 7,
  noDA: 10,
  encryptedDuplication: 11,
  restricted: 16,
  decrypt: 17,
  sign: 18,
  x509sign: 19,
} as const

/** What an object may do, and may have done to it. */
export type ObjectAttribute = keyof typeof OBJECT_ATTRIBUTES

/** TPMT_SYM_DEF_OBJECT (Part 2 §11.1.7). */
export interface SymmetricObject {
  readonly algorithm: 'aes' | 'camellia'
  readonly keyBits: number
  readonly mode: 'ctr' | 'ofb' | 'cbc' | 'cfb' | 'ecb'
}

/** TPMT_RSA_SCHEME and TPMT_ECC_SCHEME (Part 2 §11.2.4); `rsaes` has no hash, `ecdaa` also a counter. */
export interface AsymmetricScheme {
  readonly scheme: 'rsassa' | 'rsapss' | 'oaep' | 'rsaes' | 'ecdsa' | 'ecdh' | 'ecdaa'
  readonly hash?: HashAlgorithm
  readonly count?: number
}

/** TPMT_KEYEDHASH_SCHEME (Part 2 §11.1.23). */
export type KeyedHashScheme =
  | { readonly scheme: 'hmac'; readonly hash: HashAlgorithm }
  | { readonly scheme: 'xor'; readonly hash: HashAlgorithm; readonly kdf: number }

interface Common {
  /** What the name is made with. */
  readonly nameAlg: HashAlgorithm
  readonly attributes: readonly ObjectAttribute[]
  /** Digest of the policy; empty where there is none. */
  readonly authPolicy: Uint8Array
}

/** An RSA key. */
export interface RsaPublicArea extends Common {
  readonly type: 'rsa'
  /** Only for parents. */
  readonly symmetric?: SymmetricObject
  readonly scheme?: AsymmetricScheme
  readonly keyBits: number
  /** 0 stands for 65537. */
  readonly exponent: number
  readonly modulus: Uint8Array
}

/** A key on an elliptic curve. */
export interface EccPublicArea extends Common {
  readonly type: 'ecc'
  /** Only for parents. */
  readonly symmetric?: SymmetricObject
  readonly scheme?: AsymmetricScheme
  readonly curve: Curve
  readonly x: Uint8Array
  readonly y: Uint8Array
}

/** An HMAC key (attribute `sign`), or data that is sealed (neither `sign` nor `decrypt`). */
export interface KeyedHashPublicArea extends Common {
  readonly type: 'keyedhash'
  readonly scheme?: KeyedHashScheme
  /** Digest of seed and key. */
  readonly unique: Uint8Array
}

/** A symmetric key. */
export interface SymcipherPublicArea extends Common {
  readonly type: 'symcipher'
  readonly symmetric: SymmetricObject
  readonly unique: Uint8Array
}

/** TPMT_PUBLIC (Part 2 §12.2.4). */
export type PublicArea = RsaPublicArea | EccPublicArea | KeyedHashPublicArea | SymcipherPublicArea
