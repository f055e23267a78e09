import { DER, der } from '../key-file-der.ts'

/** ECDSA-Sig-Value (RFC 5480, appendix A) of r and s side by side. */
export function ecdsaDer(sideBySide: Uint8Array): Uint8Array {
  const half = sideBySide.length / 2
  return new Uint8Array(der(DER.SEQUENCE, integer(sideBySide.subarray(0, half)), integer(sideBySide.subarray(half))))
}

/** Shortest form (X.690 §8.3.2), with a zero before what would else be negative. */
function integer(unsigned: Uint8Array): Uint8Array {
  const first = unsigned.findIndex((octet) => octet !== 0)
  const significant = first === -1 ? Uint8Array.of(0) : unsigned.subarray(first)
  return der(DER.INTEGER, ...((significant[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : []), significant)
}
