import type { GetTokenOptions } from '@azure/core-auth'
import { EkmCredentialError } from '../errors.ts'

/** What the broker is asked for, and what the cache files a token under. */
export interface TokenRequest {
  /** Exactly as it was given. */
  readonly scope: string
  /** Lower-case GUID. Left out: the tenant of the broker's rule. */
  readonly tenantId: string | undefined
}

/** A GUID, as Entra writes tenant and application ids. */
export const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Characters of a scope (RFC 6749 §3.3), and a length that no resource comes near. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/

/**
 * Reads the arguments of `getToken`; what can't be honoured is refused, so that nobody gets a token of another kind than
 * they asked for. `enableCae` is no such thing: a client that can meet claims challenges can do with a token that never
 * leads to one.
 *
 * @throws {EkmCredentialError} `ERR_EKM_SCOPE`, `ERR_EKM_UNSUPPORTED`
 */
export function readTokenRequest(
  scopes: string | readonly string[],
  options: GetTokenOptions,
  ownTenantId: string | undefined,
): TokenRequest {
  if (options.claims) {
    throw unsupported(
      'a claims challenge can’t be met: the resource wants a new sign-in, which no attestation replaces',
    )
  }
  if (options.proofOfPossessionOptions !== undefined) {
    throw unsupported('proof-of-possession tokens are not to be had: ask for a Bearer token')
  }
  return { scope: readScope(scopes), tenantId: readTenant(options.tenantId, ownTenantId) }
}

function readScope(scopes: string | readonly string[]): string {
  const all = typeof scopes === 'string' ? [scopes] : scopes
  const [scope] = all
  if (scope === undefined || all.length > 1) {
    const cure = 'ask for one scope at a time, such as https://storage.azure.com/.default'
    throw new EkmCredentialError('ERR_EKM_SCOPE', `a token is for one resource: ${cure}; got ${all.length}`)
  }
  if (typeof scope !== 'string' || !SCOPE.test(scope) || !scope.endsWith('/.default')) {
    const cure = 'take the resource followed by /.default, such as https://storage.azure.com/.default'
    throw new EkmCredentialError('ERR_EKM_SCOPE', `a workload gets all permissions that it has, or none: ${cure}`)
  }
  return scope
}

function readTenant(asked: string | undefined, own: string | undefined): string | undefined {
  if (asked === undefined) return own
  if (!GUID.test(asked)) throw unsupported('"tenantId" must be a GUID')
  const tenantId = asked.toLowerCase()
  if (own !== undefined && tenantId !== own) {
    throw unsupported(`this credential is for tenant ${own} only, and was asked for ${tenantId}`)
  }
  return tenantId
}

const unsupported = (message: string): EkmCredentialError => new EkmCredentialError('ERR_EKM_UNSUPPORTED', message)
