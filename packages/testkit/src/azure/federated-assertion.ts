import { createPublicKey } from 'node:crypto'
import type { EntraApplication, FederatedCredential } from './application.ts'
import { type Assertion, assertCurrent, hasSignatureOf } from './assertion.ts'
import { EntraRefusal } from './refusal.ts'

/**
 * Verifies an assertion of somebody else that the application trusts ("Workload identity federation"). It may be used
 * again while it is valid, as that of a Kubernetes service account is.
 *
 * @returns Its algorithm; Entra takes RS256 alone here.
 * @throws {EntraRefusal} AADSTS700211, AADSTS700213 (or AADSTS7002138), AADSTS700212, AADSTS50013 or AADSTS700024.
 */
export function verifyFederatedAssertion(
  assertion: Assertion,
  { federatedCredentials }: EntraApplication,
  nowMs: number,
): 'RS256' {
  const { header, claims } = assertion
  const ofIssuer = federatedCredentials.filter(({ issuer }) => issuer === claims.iss)
  if (ofIssuer.length === 0) throw noMatch('AADSTS700211', 'issuer')
  const ofSubject = ofIssuer.filter(({ subject }) => subject === claims.sub)
  if (ofSubject.length === 0) {
    const sub = String(claims.sub).toLowerCase()
    const differsInCase = ofIssuer.some(({ subject }) => subject.toLowerCase() === sub)
    throw noMatch(differsInCase ? 'AADSTS7002138' : 'AADSTS700213', 'subject')
  }
  const audiences = [claims.aud].flat()
  const credential = ofSubject.find(({ audience }) => audiences.length === 1 && audience === audiences[0])
  if (credential === undefined) throw noMatch('AADSTS700212', 'audience')
  if (
    header.alg !== 'RS256' ||
    !keysOf(credential, header.kid).some((key) => hasSignatureOf(key, 'RS256', assertion))
  ) {
    throw new EntraRefusal('AADSTS50013', 'Assertion failed signature validation')
  }
  assertCurrent(claims, nowMs)
  return header.alg
}

/** RSA keys, and of these the one with that kid where the assertion names one. */
const keysOf = ({ jwks }: FederatedCredential, kid: unknown) =>
  jwks.keys
    .filter((jwk) => jwk.kty === 'RSA' && (kid === undefined || jwk.kid === kid))
    .map((key) => createPublicKey({ key, format: 'jwk' }))

const noMatch = (code: 'AADSTS700211' | 'AADSTS700212' | 'AADSTS700213' | 'AADSTS7002138', what: string) =>
  new EntraRefusal(code, `No matching federated identity record found for presented assertion ${what}`)
