import type { AzureApplication } from './azure-application.ts'
import { BrokerError } from './errors.ts'
import { createEntraApplications } from './internal/entra-applications.ts'
import { createEntraFlights } from './internal/entra-flights.ts'
import { createEntraAgent } from './internal/entra-post.ts'
import { createEntraTokens } from './internal/entra-tokens.ts'
import type { AzureGrant, CredentialIssuer, Grant } from './types.ts'

export interface AzureIssuerInit {
  /** Each only once. Grants of others are refused. */
  readonly applications: readonly AzureApplication[]
  /** CA certificates in PEM that Entra is verified with, in place of Node's. */
  readonly ca?: string
  /** Calls to Entra at a time; further ones wait. Default: 32. */
  readonly maxConcurrency?: number
  /** Calls that may wait; beyond it `overloaded`. Default: 128. */
  readonly maxQueue?: number
  /** Tokens that are kept. Default: 1000. */
  readonly maxTokens?: number
  /** Milliseconds for one HTTP request. Default: 3000. */
  readonly attemptTimeoutMs?: number
  /** Milliseconds for everything: queue, signature, retry. Default: 10000. */
  readonly deadlineMs?: number
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: () => number
}

export interface AzureIssuer extends CredentialIssuer {
  /** Forgets tokens, and ends connections to Entra. Keys in hardware are their owner's to close. */
  close(): void
}

/**
 * Issues Azure access tokens by Entra's client credentials grant. Tokens are cached by tenant, application and scope.
 *
 * `issue` rejects with a {@link BrokerError}: `upstream_rejected` (Entra said no, or its answer does not fit the grant),
 * `signer_unavailable` (our secret, certificate or key fails), `upstream_unavailable`, `upstream_timeout`, `overloaded`,
 * `shutting_down`. The reason `abandoned` means that the signal fired for another reason than a `TimeoutError`.
 *
 * @throws {TypeError} for an application that can't be one.
 * @throws {RangeError} for a limit that isn't a positive integer.
 * @throws {AzureCredentialError} for a certificate that isn't one, or not the key's.
 */
export function createAzureIssuer(init: AzureIssuerInit): AzureIssuer {
  const { maxConcurrency = 32, maxQueue = 128, maxTokens = 1000, attemptTimeoutMs = 3000, deadlineMs = 10_000 } = init
  const { clock = Date.now } = init
  for (const [name, value] of Object.entries({ maxConcurrency, maxQueue, maxTokens, attemptTimeoutMs, deadlineMs })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`"${name}" must be a positive integer`)
  }
  const applicationOf = createEntraApplications(init.applications)
  const agent = createEntraAgent(init.ca)
  const flights = createEntraFlights({ maxConcurrency, maxQueue, deadlineMs, agent, attemptTimeoutMs, clock })
  const tokens = createEntraTokens({
    fetch: (application, scope) => flights.fetch(application, scope),
    maxTokens,
    clock,
  })

  return {
    target: 'azure',
    async issue(grant, { signal }) {
      if (!isAzureGrant(grant)) throw new BrokerError('internal', 'issuer.target')
      const { tenantId, clientId, scope } = grant
      const application = applicationOf(tenantId, clientId)
      if (application === undefined) throw new BrokerError('internal', 'issuer.application')
      if (!SCOPE.test(scope)) throw new BrokerError('internal', 'issuer.scope')
      const { token, cached } = await orAbandoned(signal, () => tokens.get(application, scope))
      const { accessToken, expiresAt, audit } = token
      return {
        body: { access_token: accessToken, token_type: 'Bearer', expires_on: expiresAt },
        expiresAt,
        audit: {
          azure_tenant_id: tenantId,
          azure_client_id: clientId,
          azure_scope: scope,
          azure_cached: String(cached),
          ...audit,
        },
      }
    },
    close() {
      flights.close()
      tokens.clear()
      agent.destroy()
    },
  }
}

/** One scope: RFC 6749 §3.3 has them apart by spaces. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,500}\/\.default$/

const isAzureGrant = (grant: Grant): grant is AzureGrant =>
  grant.target === 'azure' && 'tenantId' in grant && 'clientId' in grant && 'scope' in grant

/** Others may wait for the same token: who leaves does not end the request. */
async function orAbandoned<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw abandoned(signal)
  let leave = () => {}
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(abandoned(signal))
  })
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([left, work()])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

const abandoned = (signal: AbortSignal): BrokerError =>
  new BrokerError('upstream_timeout', isTimeout(signal) ? 'upstream.unknown_outcome' : 'abandoned')

const isTimeout = ({ reason }: AbortSignal): boolean => reason instanceof DOMException && reason.name === 'TimeoutError'
