import type { EntraApplication } from './application.ts'
import { EntraRefusal } from './refusal.ts'

const SUFFIX = '/.default'
const OIDC_SCOPES = ['openid', 'profile', 'email', 'offline_access']

/**
 * The resource that a client-credentials scope names, which becomes `aud`. `https://host//.default` names `https://host/`,
 * with its slash; both are the same resource.
 *
 * @throws {EntraRefusal} AADSTS70011, AADSTS1002012, AADSTS28000 or AADSTS500011.
 */
export function resourceOf(scope: string, { resources }: EntraApplication): string {
  // RFC 6749 §3.3: scope tokens of printable ASCII, one space between them.
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(scope)) throw refusal('AADSTS70011', 'malformed')
  const tokens = scope.split(' ')
  if (tokens.some((token) => !token.endsWith(SUFFIX) && !OIDC_SCOPES.includes(token))) {
    throw refusal('AADSTS1002012', `without ${SUFFIX}`)
  }
  if (tokens.some((token) => OIDC_SCOPES.includes(token))) {
    throw refusal('AADSTS70011', 'for users, in a client credentials flow')
  }
  if (tokens.length > 1) throw refusal('AADSTS28000', 'of more than one resource')
  const resource = scope.slice(0, -SUFFIX.length)
  if (!resources.includes(resource) && !resources.includes(resource.replace(/\/$/, ''))) {
    throw new EntraRefusal('AADSTS500011', 'The resource principal was not found in the tenant')
  }
  return resource
}

const refusal = (code: 'AADSTS70011' | 'AADSTS1002012' | 'AADSTS28000', what: string): EntraRefusal =>
  new EntraRefusal(code, `The provided value for scope is not valid: ${what}`)
