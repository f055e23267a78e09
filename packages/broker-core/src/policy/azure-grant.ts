import type { AzureGrant, CredentialRequest, PolicyInput } from '../types.ts'
import { type Condition, quote } from './condition.ts'
import type { GrantPlan } from './grant-plan.ts'
import type { AzureGrantDocument } from './schema.ts'

type AzureRequest = Extract<CredentialRequest, { target: 'azure' }>

/** Compiles `grant.azure`. Everything in it is fixed: the request only chooses among its scopes, and may name the rest. */
export function compileAzureGrant({ tenant_id: tenantId, client_id: clientId, scopes }: AzureGrantDocument): GrantPlan {
  return {
    target: 'azure',
    conditions: [
      named('request.tenant_id', tenantId, (request) => request.tenantId),
      named('request.client_id', clientId, (request) => request.clientId),
      {
        name: 'request.scope',
        reason: 'request.scope',
        holds: ({ request }) => isAzure(request) && scopes.includes(request.scope),
        detail: ({ request }) => `${isAzure(request) ? quote(request.scope) : 'no scope'} of ${quote(scopes)}`,
      },
    ],
    choices: (request) => (isAzure(request) ? [`${tenantId} ${clientId}`] : []),
    grant(_choice, { request }) {
      if (!isAzure(request)) return undefined
      return { target: 'azure', tenantId, clientId, scope: request.scope } satisfies AzureGrant
    },
  }
}

/** What the request may leave out, and may not have otherwise. */
function named(
  name: 'request.tenant_id' | 'request.client_id',
  allowed: string,
  read: (request: AzureRequest) => string | undefined,
): Condition {
  const asked = ({ request }: PolicyInput) => (isAzure(request) ? read(request) : undefined)
  return {
    name,
    reason: name,
    holds: (input) => isAzure(input.request) && [undefined, allowed].includes(asked(input)),
    detail: (input) => `${quote(asked(input) ?? 'left out')}, the rule grants ${quote(allowed)}`,
  }
}

const isAzure = (request: CredentialRequest): request is AzureRequest => request.target === 'azure'
