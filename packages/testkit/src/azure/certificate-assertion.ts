import type { EntraApplication, RegisteredCertificate } from './application.ts'
import { type Assertion, assertCurrent, hasSignatureOf, invalid } from './assertion.ts'
import { EntraRefusal } from './refusal.ts'

/** The emulator's own rule: Entra documents no limit, and asks for 5 to 10 minutes. */
const MAX_LIFETIME_SECONDS = 86_400

/** What a certificate assertion is measured by. */
export interface CertificateContext {
  /** The token endpoint of the tenant. */
  readonly audience: string
  readonly nowMs: number
  /** Remembers a jti of an application. @returns Whether it may be used (again). */
  readonly useOnce: (jti: string, app: EntraApplication) => boolean
}

/**
 * Verifies an assertion that the application signed itself ("Certificate credentials", Microsoft identity platform).
 *
 * @returns Its algorithm.
 * @throws {EntraRefusal} AADSTS50027, AADSTS700021, AADSTS700023, AADSTS700024, AADSTS700027 or AADSTS1000502.
 */
export function verifyCertificateAssertion(
  assertion: Assertion,
  app: EntraApplication,
  { audience, nowMs, useOnce }: CertificateContext,
): 'RS256' | 'PS256' {
  const { header, claims } = assertion
  if (header.alg !== 'RS256' && header.alg !== 'PS256') throw invalid('alg')
  if (header.typ !== 'JWT') throw invalid('typ')
  if (String(claims.sub).toLowerCase() !== app.clientId) {
    throw new EntraRefusal('AADSTS700021', "Client assertion application identifier doesn't match 'client_id'")
  }
  const certificate = app.certificates.find((candidate) => isNamedBy(candidate, header))
  if (certificate === undefined) throw key('The certificate used to sign the assertion is not registered')
  if (!hasSignatureOf(certificate.publicKey, header.alg, assertion)) throw key('The signature is invalid')
  if (nowMs < certificate.notBefore || nowMs > certificate.notAfter) {
    throw new EntraRefusal('AADSTS1000502', 'The certificate is not within its validity period')
  }
  if (claims.aud !== audience) {
    throw new EntraRefusal('AADSTS700023', 'Client assertion audience claim does not match Realm issuer')
  }
  assertCurrent(claims, nowMs)
  const { nbf, exp, jti } = claims
  if (typeof nbf !== 'number' || Number(exp) - nbf > MAX_LIFETIME_SECONDS) {
    throw new EntraRefusal('AADSTS700024', 'Client assertion must say nbf, and hold for a day at most')
  }
  if (typeof jti !== 'string' || jti === '') throw invalid('jti')
  if (!useOnce(jti, app)) throw invalid('jti was used before')
  return header.alg
}

/** By one thumbprint or both; at least one. */
function isNamedBy({ sha1, sha256 }: RegisteredCertificate, header: Assertion['header']): boolean {
  const { x5t = sha1, 'x5t#S256': x5tS256 = sha256 } = header
  return x5t === sha1 && x5tS256 === sha256 && ('x5t' in header || 'x5t#S256' in header)
}

const key = (what: string): EntraRefusal => new EntraRefusal('AADSTS700027', what)
