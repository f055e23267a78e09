import { X509Certificate } from 'node:crypto'

/** To parse all of a system's bundle takes longer than all else that a `credential_process` does; OpenSSL does it anyway, and trusts nobody then. */
const A_FEW = 16
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Certificates to trust, as text. Nothing at all would mean Node's own, so it is refused.
 *
 * @throws {TypeError} where there is no certificate in it, or one that can't be read.
 */
export function certificatesOf(pem: string | Uint8Array): string {
  const text = typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1')
  const blocks = text.match(BLOCK)
  const isGood = (blocks?.length ?? 0) > A_FEW ? isElement : isCertificate
  if (blocks === null || !blocks.every(isGood)) throw new TypeError('"ca" must be certificates in PEM')
  return blocks.join('\n')
}

/** One whole SEQUENCE in DER. */
function isElement(block: string): boolean {
  const der = Buffer.from(block.replace(/-----[A-Z ]+-----/g, ''), 'base64')
  return der.length > 4 && der[0] === 0x30 && der[1] === 0x82 && der.length === 4 + der.readUInt16BE(2)
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0
  } catch {
    return false
  }
}
