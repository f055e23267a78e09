import { createHash } from 'node:crypto'
import type { JsonObject, JsonValue } from '@hardbound/attestation-verify/strict-json'
import { BrokerError } from '../errors.ts'
import { type EntraAnswer, type EntraEndpoint, guidOf } from './entra-call.ts'
import { readJsonObject } from './entra-json.ts'

/** RFC 6750 §2.1: what a bearer token is made of. */
const ACCESS_TOKEN = /^[A-Za-z0-9._~+/-]{1,32768}=*$/
const MAX_LIFETIME_SECONDS = 86_400
const UTI = /^[\w-]{1,64}$/

/** What Entra granted. */
export interface EntraGrant {
  /** Secret. */
  readonly accessToken: string
  /** Seconds. */
  readonly lifetimeSeconds: number
  readonly audit: Readonly<Record<string, string | number>>
}

/**
 * Holds a 200 answer against what was asked.
 *
 * @throws {BrokerError} `upstream_rejected` with `upstream.format`, `upstream.expiry` or `upstream.mismatch`.
 */
export function toEntraGrant({ body, requestId }: EntraAnswer, endpoint: EntraEndpoint, scope: string): EntraGrant {
  const { token_type: type, access_token: accessToken, expires_in: lifetimeSeconds } = readJsonObject(body) ?? {}
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') throw reject('upstream.format')
  if (typeof accessToken !== 'string' || !ACCESS_TOKEN.test(accessToken)) throw reject('upstream.format')
  if (typeof lifetimeSeconds !== 'number' || !Number.isSafeInteger(lifetimeSeconds)) throw reject('upstream.format')
  if (lifetimeSeconds < 1 || lifetimeSeconds > MAX_LIFETIME_SECONDS) throw reject('upstream.expiry')
  const claims = claimsOf(accessToken)
  if (!fits(claims, endpoint, scope)) throw reject('upstream.mismatch')
  return {
    accessToken,
    lifetimeSeconds,
    audit: {
      azure_token_sha256: createHash('sha256').update(accessToken).digest('hex'),
      ...(typeof claims.uti === 'string' && UTI.test(claims.uti) ? { azure_uti: claims.uti } : {}),
      ...(requestId === undefined ? {} : { azure_request_id: requestId }),
    },
  }
}

/** A token belongs to its resource, which alone can verify it, and need not be a JWT; then there is nothing to see. */
function claimsOf(accessToken: string): JsonObject {
  const [, payload = ''] = accessToken.split('.')
  return readJsonObject(Buffer.from(payload, 'base64url')) ?? {}
}

function fits({ tid, appid, azp, aud }: JsonObject, { tenantId, clientId }: EntraEndpoint, scope: string): boolean {
  if (tid !== undefined && guidOf(tid) !== tenantId) return false
  if (appid !== undefined && guidOf(appid) !== clientId) return false
  if (azp !== undefined && guidOf(azp) !== clientId) return false
  return aud === undefined || audienceFits(aud, scope.slice(0, -'/.default'.length))
}

/** A resource has a URI, and the GUID of its application: only two of a kind can be compared. */
function audienceFits(aud: JsonValue, resource: string): boolean {
  if (typeof aud !== 'string') return false
  const [got, want] = [applicationId(aud), applicationId(resource)]
  if (got !== undefined || want !== undefined) return got === undefined || want === undefined || got === want
  return withoutSlash(aud) === withoutSlash(resource)
}

const applicationId = (audience: string): string | undefined => guidOf(audience.replace(/^api:\/\//, ''))
const withoutSlash = (uri: string): string => uri.toLowerCase().replace(/\/$/, '')

const reject = (reason: string): BrokerError => new BrokerError('upstream_rejected', reason)
