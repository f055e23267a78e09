/**
 * The SubjectPublicKeyInfo of a DER certificate, octet for octet (RFC 5280 §4.1). Going through a parsed public key
 * would encode it anew, and another implementation might encode it otherwise.
 */
export function subjectPublicKeyInfo(certificate: Uint8Array): Uint8Array {
  const tbsCertificate = element(certificate, element(certificate, 0).body)
  let field = element(certificate, tbsCertificate.body)
  if (field.tag === 0xa0) field = element(certificate, field.end) // version [0] EXPLICIT, absent in version 1
  for (let skip = 0; skip < 5; skip++) field = element(certificate, field.end) // serial … subject
  if (field.tag !== 0x30 || field.end > tbsCertificate.end) throw new TypeError('not an X.509 certificate')
  return certificate.subarray(field.start, field.end)
}

interface DerElement {
  tag: number
  start: number
  body: number
  end: number
}

/** One DER element with a definite length (X.690 §8.1.3); the offsets point into `der`. */
function element(der: Uint8Array, start: number): DerElement {
  const tag = der[start]
  const first = der[start + 1]
  if (tag === undefined || first === undefined) throw new TypeError('not an X.509 certificate')
  let length = first
  let body = start + 2
  if (first & 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > 3) throw new TypeError('not an X.509 certificate')
    length = 0
    for (let i = 0; i < octets; i++) length = length * 256 + (der[body++] ?? 0)
  }
  const end = body + length
  if (end > der.length) throw new TypeError('not an X.509 certificate')
  return { tag, start, body, end }
}
