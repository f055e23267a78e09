import { DER, derAlgorithm, readDer, readDerOne } from './der.ts'
import type { CertificateFields } from './read-certificate.ts'

/** Signatures with MD2, MD4, MD5, SHA-1 and SHA-224 (RFC 3279, RFC 4055, RFC 5758). */
const WEAK: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.3',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.113549.1.1.14',
  '1.3.14.3.2.29',
  '1.2.840.10040.4.3',
  '2.16.840.1.101.3.4.3.1',
  '1.2.840.10045.4.1',
  '1.2.840.10045.4.3.1',
])
const RSASSA_PSS = '1.2.840.113549.1.1.10'
/** SHA-256, SHA-384, SHA-512 and SHA3 of these lengths. */
const STRONG_HASH = /^2\.16\.840\.1\.101\.3\.4\.2\.(?:1|2|3|8|9|10)$/

/** Whether the issuer signed with a hash weaker than SHA-256. What is not known is taken for good: the service has the last word. */
export function isWeakSignature(of: Pick<CertificateFields, 'signatureAlgorithm' | 'signatureParameters'>): boolean {
  if (of.signatureAlgorithm !== RSASSA_PSS) return WEAK.has(of.signatureAlgorithm)
  return !STRONG_HASH.test(pssHash(of.signatureParameters))
}

/** RFC 4055, section 3.1: the hash is in `[0]`, and SHA-1 where there is none. */
function pssHash(parameters: Uint8Array | undefined): string {
  try {
    const [hash] = readDer(readDerOne(parameters ?? new Uint8Array(), DER.sequence))
    if (hash?.tag !== 0xa0) return 'SHA-1'
    return derAlgorithm(readDer(hash.value)[0]).oid
  } catch (error) {
    if (error instanceof SyntaxError) return 'unknown'
    throw error
  }
}
