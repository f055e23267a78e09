import type { KeyPair } from '../internal/certificate.ts'
import { rsaThumbprint } from '../internal/rsa-keys.ts'

/** `/{tenant}/v2.0/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 §3). */
export const openIdConfiguration = (authorityHost: string, tenantId: string): object => {
  const base = `${authorityHost}/${tenantId}`
  return {
    token_endpoint: tokenEndpoint(authorityHost, tenantId),
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${base}/v2.0`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
  }
}

/** `/common/discovery/instance`: which names one cloud has. */
export const instanceMetadata = (authorityHost: string): object => {
  const { host } = new URL(authorityHost)
  return {
    tenant_discovery_endpoint: `${authorityHost}/common/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  }
}

/** `/{tenant}/discovery/v2.0/keys` (RFC 7517 §5). */
export const keySet = ({ publicKey }: KeyPair): object => {
  const kid = rsaThumbprint(publicKey)
  return { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid, x5t: kid }] }
}

/** What assertions are addressed to, to the letter. */
export const tokenEndpoint = (authorityHost: string, tenantId: string): string =>
  `${authorityHost}/${tenantId}/oauth2/v2.0/token`
