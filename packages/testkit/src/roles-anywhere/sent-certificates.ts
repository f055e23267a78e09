import { headerValues } from '../internal/sigv4-canonical.ts'
import type { SignedHttpRequest } from '../sigv4-verify.ts'
import { basicConstraints, type Certificate, hasUsage, keyIdentifiers, parseCertificate } from './certificate.ts'
import { insufficient, RolesAnywhereRefusal } from './refusal.ts'
import { certificateTags } from './session-tags.ts'
import { publicKeyOf } from './signatures.ts'

const MAX_CHAIN = 5
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Certificates in `X-Amz-X509` and `X-Amz-X509-Chain`: base64 of DER, those of the chain with commas between them.
 *
 * @throws {RolesAnywhereRefusal}
 */
export function sentCertificates(request: SignedHttpRequest): { leaf: Certificate; chain: Certificate[] } {
  const [leaf, ...more] = headerValues(request, 'x-amz-x509')
  if (leaf === undefined) {
    throw new RolesAnywhereRefusal(
      'MissingAuthenticationTokenException',
      'Missing Authentication Token',
      'no X-Amz-X509',
    )
  }
  const chains = headerValues(request, 'x-amz-x509-chain')
  if (more.length > 0 || chains.length > 1) throw insufficient('X-Amz-X509 or its chain is there more than once')
  const chain = chains.flatMap((text) => text.split(','))
  if (chain.length > MAX_CHAIN)
    throw insufficient(`X-Amz-X509-Chain has ${chain.length} certificates, ${MAX_CHAIN} at most`)
  return { leaf: decode(leaf, 'X-Amz-X509'), chain: chain.map((text) => decode(text, 'X-Amz-X509-Chain')) }
}

function decode(text: string, header: string): Certificate {
  if (text === '' || !BASE64.test(text)) throw insufficient(`${header} is not base64, padded and in one line`)
  try {
    return wellFormed(parseCertificate(Buffer.from(text, 'base64')))
  } catch (error) {
    throw insufficient(`${header} is not DER of certificates: ${(error as Error).message}`)
  }
}

/** Reads, once, all that is read of a certificate later on. */
function wellFormed(certificate: Certificate): Certificate {
  publicKeyOf(certificate.spki)
  basicConstraints(certificate)
  keyIdentifiers(certificate)
  hasUsage(certificate, 'digitalSignature')
  certificateTags(certificate)
  return certificate
}
