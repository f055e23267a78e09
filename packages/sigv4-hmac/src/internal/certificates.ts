import { X509Certificate } from 'node:crypto'

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Certificates to trust, as text. Nothing at all would mean Node's own, so it is refused.
 *
 * @throws {TypeError} where there is no certificate in it, or one that can't be read.
 */
export function certificatesOf(pem: string | Uint8Array): string {
  const text = typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1')
  const blocks = text.match(BLOCK)
  if (blocks === null || !blocks.every(isCertificate)) throw new TypeError('"ca" must be certificates in PEM')
  return blocks.join('\n')
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0
  } catch {
    return false
  }
}
