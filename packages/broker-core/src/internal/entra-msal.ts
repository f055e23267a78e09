import type { ClientSecretCredentialOptions } from '@azure/identity'
import type { EntraEndpoint } from './entra-call.ts'

/** What a request carries to show that it is the application's. */
export type EntraClientProof = { readonly secret: string } | { readonly assertion: string }

export interface TokenRequest {
  readonly endpoint: EntraEndpoint
  readonly scope: string
  readonly proof: EntraClientProof
  /** Sends a form to the token endpoint, and gives back the body of a 200 answer that was checked. */
  readonly post: (form: string) => Promise<Uint8Array>
}

type HttpClient = NonNullable<ClientSecretCredentialOptions['httpClient']>

/** RFC 6749 §4.4.2 and RFC 7521 §4.2; `client-request-id` is what Entra's logs call the correlation id. */
const FIELDS = new Set([
  'client_id',
  'scope',
  'grant_type',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'client-request-id',
])

export interface EntraSdk {
  readonly identity: typeof import('@azure/identity')
  readonly pipeline: typeof import('@azure/core-rest-pipeline')
}

let sdk: Promise<EntraSdk> | undefined

/** Loaded when it is needed: half a second of CPU that a broker without Azure has better use for. */
export const loadSdk = (): Promise<EntraSdk> => (sdk ??= importSdk())

async function importSdk(): Promise<EntraSdk> {
  return { identity: await import('@azure/identity'), pipeline: await import('@azure/core-rest-pipeline') }
}

/**
 * Makes `@azure/identity` work out a token request, and read its answer. A new credential each time, so that no cache but ours is
 * in the way; the assertion is ready before, as MSAL asks for one twice. `enableCae` stays off: its `cp1` gets tokens of 24 hours.
 */
export async function requestToken(
  { identity, pipeline }: EntraSdk,
  { endpoint, scope, proof, post }: TokenRequest,
): Promise<void> {
  const { tenantId, clientId, authorityHost } = endpoint
  const discoveryUrl = `${authorityHost}/${tenantId}/v2.0/.well-known/openid-configuration`

  async function answer(method: string, url: string, body: unknown): Promise<string> {
    // Never asked for over the network: whoever answered could name another token endpoint.
    if (method === 'GET' && url === discoveryUrl) return JSON.stringify(metadataOf(endpoint))
    // The URL is not looked at: AZURE_REGIONAL_AUTHORITY_NAME has MSAL choose another one than was configured.
    if (method === 'POST' && typeof body === 'string') return Buffer.from(await post(withoutTelemetry(body))).toString()
    throw new Error('not a request for a token')
  }
  const httpClient: HttpClient = {
    sendRequest: async (request) => ({
      request,
      status: 200,
      headers: pipeline.createHttpHeaders({ 'content-type': 'application/json' }),
      bodyAsText: await answer(request.method, request.url, request.body),
    }),
  }
  const options = { httpClient, authorityHost, disableInstanceDiscovery: true, retryOptions: { maxRetries: 0 } }
  const credential =
    'secret' in proof
      ? new identity.ClientSecretCredential(tenantId, clientId, proof.secret, options)
      : new identity.ClientAssertionCredential(tenantId, clientId, () => Promise.resolve(proof.assertion), options)
  await credential.getToken(scope)
}

/** OpenID Connect Discovery 1.0 §3, as far as MSAL wants it. */
function metadataOf({ authorityHost, tenantId, tokenUrl }: EntraEndpoint): object {
  return {
    issuer: `${authorityHost}/${tenantId}/v2.0`,
    token_endpoint: tokenUrl,
    authorization_endpoint: `${authorityHost}/${tenantId}/oauth2/v2.0/authorize`,
    jwks_uri: `${authorityHost}/${tenantId}/discovery/v2.0/keys`,
  }
}

/** Neither the versions of library and system nor past failures are Microsoft's business. */
function withoutTelemetry(form: string): string {
  const fields = new URLSearchParams(form)
  for (const name of new Set(fields.keys())) if (!FIELDS.has(name)) fields.delete(name)
  return fields.toString()
}
