import { createHash, timingSafeEqual } from 'node:crypto'
import type { EntraApplication } from './application.ts'
import { parseAssertion } from './assertion.ts'
import { verifyCertificateAssertion } from './certificate-assertion.ts'
import { tokenEndpoint } from './discovery.ts'
import { verifyFederatedAssertion } from './federated-assertion.ts'
import { EntraRefusal } from './refusal.ts'
import type { EntraCall } from './test-entra.ts'
import type { TokenRequest } from './token-request.ts'

/** What credentials are measured by. */
export interface AuthenticationContext {
  readonly authorityHost: string
  readonly nowMs: number
  /** Remembers a jti of an application. @returns Whether it may be used (again). */
  readonly useOnce: (jti: string, app: EntraApplication) => boolean
}

/** Verifies that a request is the application's. @throws {EntraRefusal} */
export function authenticate(
  app: EntraApplication,
  credential: TokenRequest['credential'],
  { authorityHost, nowMs, useOnce }: AuthenticationContext,
): Pick<EntraCall, 'method' | 'alg'> {
  if ('secret' in credential) {
    assertSecret(app, credential.secret, nowMs)
    return { method: 'secret' }
  }
  const assertion = parseAssertion(credential.assertion)
  const iss = String(assertion.claims.iss)
  if (iss.startsWith('https://')) return { method: 'federated', alg: verifyFederatedAssertion(assertion, app, nowMs) }
  if (iss.toLowerCase() !== app.clientId) {
    throw new EntraRefusal('AADSTS700021', "Client assertion application identifier doesn't match 'client_id'")
  }
  const audience = tokenEndpoint(authorityHost, app.tenantId)
  return { method: 'certificate', alg: verifyCertificateAssertion(assertion, app, { audience, nowMs, useOnce }) }
}

function assertSecret({ secrets }: EntraApplication, given: string, nowMs: number): void {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const same = secrets.filter(({ value }) => timingSafeEqual(digest(value), digest(given)))
  if (same.length === 0) throw new EntraRefusal('AADSTS7000215', 'Invalid client secret provided')
  if (same.every(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt <= nowMs)) {
    throw new EntraRefusal('AADSTS7000222', 'The provided client secret keys are expired')
  }
}
