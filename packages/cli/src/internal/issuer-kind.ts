import type { JsonObject } from '@hardbound/attestation-verify'

/** Whose token it claims to be. */
export type IssuerKind =
  | { readonly type: 'google' }
  | { readonly type: 'intel'; readonly region: 'us' | 'eu' }
  | { readonly type: 'azure'; readonly issuer: string; readonly policyHash: string }

/** Reads `iss` of an unverified payload; Google's where it says nothing we know, so that a verifier tells what is wrong. */
export function issuerKind(payload: JsonObject): IssuerKind {
  const { iss, 'x-ms-policy-hash': hash } = payload
  if (typeof iss !== 'string') return { type: 'google' }
  const intel = /^https:\/\/portal\.(eu\.)?trustauthority\.intel\.com$/.exec(iss)
  if (intel !== null) return { type: 'intel', region: intel[1] === undefined ? 'us' : 'eu' }
  if (!/^https:\/\/[a-z0-9-]+(\.[a-z0-9-]+)*\.attest\.azure\.net$/.test(iss)) return { type: 'google' }
  const isHash = typeof hash === 'string' && /^[\w-]{43}$/.test(hash)
  return { type: 'azure', issuer: iss, policyHash: isHash ? hash : NO_POLICY }
}

/** SHA-256 of nothing that anybody knows. */
const NO_POLICY = 'A'.repeat(43)
