/** `{ algorithm sha256WithRSAEncryption, parameters NULL }` (RFC 4055 §5), DER. */
const SHA256_RSA = Buffer.from('300d06092a864886f70d01010b0500', 'hex')

/**
 * Whether a certificate says that its signature is sha256WithRSA. Node 20 doesn't tell, so this looks behind the first
 * part of `SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }` (RFC 5280 §4.1).
 *
 * @param der A certificate that OpenSSL has parsed: its lengths are right.
 */
export function signedWithSha256Rsa(der: Buffer): boolean {
  const tbs = contentOf(der, 0).start
  const { end } = contentOf(der, tbs)
  return der.subarray(end, end + SHA256_RSA.length).equals(SHA256_RSA)
}

/** Where the content of the DER value at `at` starts and ends (X.690 §8.1.3). */
function contentOf(der: Buffer, at: number): { start: number; end: number } {
  const first = der.readUInt8(at + 1)
  if (first < 0x80) return { start: at + 2, end: at + 2 + first }
  const size = first & 0x7f
  const start = at + 2 + size
  if (size === 0 || size > 4) return { start, end: der.length } // BER, or nothing that fits in a token
  return { start, end: start + der.readUIntBE(at + 2, size) }
}
