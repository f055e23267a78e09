/** Hash algorithms of a TPM, by the names that `node:crypto` has for them. */
export type HashAlgorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512'

/** TPM_ALG_ID (TCG Algorithm Registry, table 3) of the hashes, and the octets of their digests. */
export const HASHES: Readonly<Record<HashAlgorithm, { readonly id: number; readonly size: number }>> = {
  sha1: { id: 0x0004, size: 20 },
  sha256: { id: 0x000b, size: 32 },
  sha384: { id: 0x000c, size: 48 },
  sha512: { id: 0x000d, size: 64 },
}

/** The other TPM_ALG_IDs in use here. */
export const ALG = {
  rsa: 0x0001,
  hmac: 0x0005,
  aes: 0x0006,
  keyedhash: 0x0008,
  xor: 0x000a,
  null: 0x0010,
  rsassa: 0x0014,
  rsaes: 0x0015,
  rsapss: 0x0016,
  oaep: 0x0017,
  ecdsa: 0x0018,
  ecdh: 0x0019,
  ecdaa: 0x001a,
  kdf1Sp80056a: 0x0020,
  kdf2: 0x0021,
  kdf1Sp800108: 0x0022,
  ecc: 0x0023,
  symcipher: 0x0025,
  camellia: 0x0026,
  ctr: 0x0040,
  ofb: 0x0041,
  cbc: 0x0042,
  cfb: 0x0043,
  ecb: 0x0044,
} as const

/** Curves, by TPM_ECC_CURVE, the octets of a coordinate, and the name that `node:crypto` has for them. */
export const CURVES = {
  p256: { id: 0x0003, size: 32, node: 'prime256v1' },
  p384: { id: 0x0004, size: 48, node: 'secp384r1' },
  p521: { id: 0x0005, size: 66, node: 'secp521r1' },
} as const

/** Elliptic curves of a TPM's keys. */
export type Curve = keyof typeof CURVES

/** The hash with a TPM_ALG_ID, if it is one of ours. */
export function hashById(id: number): HashAlgorithm | undefined {
  return (Object.keys(HASHES) as HashAlgorithm[]).find((name) => HASHES[name].id === id)
}

/** The curve with a TPM_ECC_CURVE, if it is one of ours. */
export function curveById(id: number): Curve | undefined {
  return (Object.keys(CURVES) as Curve[]).find((name) => CURVES[name].id === id)
}
