import {
  type JsonObject,
  type JsonValue,
  parseStrictJson,
  StrictJsonError,
} from '@hardbound/attestation-verify/strict-json'
import { openGoV1Token } from '@hardbound/ekm-tls/client'
import { BrokerError } from './errors.ts'
import type { CredentialRequest } from './types.ts'

/** A request as it came over the wire, read but not yet believed. */
export interface ParsedRequest {
  /** The attestation token. */
  readonly attestation: string
  /** What the nonce commits to: the request's octets (v2), or the request token's text (Go-v1). */
  readonly bound: string
  readonly want: CredentialRequest
}

const MAX_TOKEN_BYTES = 16_384
const BODY = { maxBytes: 65_536, maxDepth: 8 }
const REQUEST = { maxBytes: 4_096, maxDepth: 4 }

/** Reads `{"attestation","request"}` of binding v2. Throws {@link BrokerError} `invalid_request` or `payload_too_large`. */
export function parseV2Request(body: Uint8Array): ParsedRequest {
  const { attestation, request, ...unknown } = objectOf(body, BODY, 'body')
  assertNothingElse(unknown, 'body')
  const bound = stringOf(request, 'body.request')
  return { attestation: tokenOf(attestation, 'body.attestation'), bound, want: parseWant(bound) }
}

function parseWant(text: string): CredentialRequest {
  const { target, ...fields } = objectOf(Buffer.from(text, 'utf8'), REQUEST, 'request')
  if (target === 'aws') {
    const { role_arn: roleArn, duration_seconds: seconds, ...unknown } = fields
    assertNothingElse(unknown, 'request')
    // The text decides: 9e2 and 900.0 are the same number to JSON, and not what the protocol says.
    if (seconds !== undefined && !/"duration_seconds"\s*:\s*\d+\s*[,}]/.test(text))
      throw invalid('request.duration_seconds')
    return {
      target,
      roleArn: roleArn === undefined ? undefined : stringOf(roleArn, 'request.role_arn'),
      durationSeconds: seconds === undefined ? undefined : durationOf(seconds, 'request.duration_seconds'),
      sessionToken: false,
    }
  }
  if (target === 'azure') {
    const { scope, tenant_id: tenantId, client_id: clientId, ...unknown } = fields
    assertNothingElse(unknown, 'request')
    return {
      target,
      scope: stringOf(scope, 'request.scope'),
      tenantId: tenantId === undefined ? undefined : stringOf(tenantId, 'request.tenant_id'),
      clientId: clientId === undefined ? undefined : stringOf(clientId, 'request.client_id'),
    }
  }
  throw invalid('request.target')
}

/**
 * Reads `{"token_jwt","attestation_jwt"}` of the published Go programs; `token_jwt` must be signed with the connection's
 * keying material.
 *
 * @param ekm 32 octets exported under the Go programs' label.
 */
export function parseGoV1Request(body: Uint8Array, ekm: Uint8Array): ParsedRequest {
  const { token_jwt: token, attestation_jwt: attestation, ...unknown } = objectOf(body, BODY, 'body')
  assertNothingElse(unknown, 'body')
  const bound = stringOf(token, 'body.token_jwt')
  const opened = openGoV1Token(bound, ekm)
  if (opened === undefined) throw new BrokerError('binding_mismatch', 'binding.token_jwt')
  const header = objectOf(opened.header, REQUEST, 'token_jwt.header')
  if (header.alg !== 'HS256') throw invalid('token_jwt.alg')
  return {
    attestation: tokenOf(attestation, 'body.attestation_jwt'),
    bound,
    want: goV1Want(objectOf(opened.claims, REQUEST, 'token_jwt.claims')),
  }
}

/** Fields of the Go programs that carry no right here are read and left alone: the policy derives them. */
const GO_V1_IGNORED = new Set(['access_key_id', 'region', 'session_name', 'iss', 'sub', 'aud', 'jti', 'iat'])

function goV1Want(claims: JsonObject): CredentialRequest {
  if (claims.scope !== undefined) return goV1AzureWant(claims)
  const { use_assume_role: assumeRole, role_arn: roleArn, duration, ...rest } = claims
  assertOnlyIgnored(rest)
  if (typeof assumeRole !== 'boolean') throw invalid('token_jwt.use_assume_role')
  return {
    target: 'aws',
    roleArn:
      assumeRole && roleArn !== undefined && roleArn !== '' ? stringOf(roleArn, 'token_jwt.role_arn') : undefined,
    durationSeconds: durationOf(duration ?? 900, 'token_jwt.duration'),
    sessionToken: !assumeRole,
  }
}

/** The Go program leaves unset fields out; empty ones mean the same. */
function goV1AzureWant({ scope, tenant, appid, ...rest }: JsonObject): CredentialRequest {
  assertOnlyIgnored(rest)
  return {
    target: 'azure',
    scope: stringOf(scope, 'token_jwt.scope'),
    tenantId: tenant === undefined || tenant === '' ? undefined : stringOf(tenant, 'token_jwt.tenant'),
    clientId: appid === undefined || appid === '' ? undefined : stringOf(appid, 'token_jwt.appid'),
  }
}

function assertOnlyIgnored(rest: JsonObject): void {
  if (Object.keys(rest).some((key) => !GO_V1_IGNORED.has(key))) throw invalid('token_jwt.unknown')
}

function objectOf(octets: Uint8Array, bounds: { maxBytes: number; maxDepth: number }, where: string): JsonObject {
  try {
    const value = parseStrictJson(octets, bounds)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (error) {
    if (error instanceof StrictJsonError && error.code === 'ERR_JSON_SIZE') {
      throw new BrokerError('payload_too_large', `${where}.size`, { cause: error })
    }
    throw new BrokerError('invalid_request', `${where}.json`, { cause: error })
  }
  throw invalid(`${where}.json`)
}

function stringOf(value: JsonValue | undefined, where: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(where)
  return value
}

function tokenOf(value: JsonValue | undefined, where: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(where)
  if (value.length > MAX_TOKEN_BYTES) throw new BrokerError('payload_too_large', 'jwt.size')
  return value
}

function durationOf(value: JsonValue, where: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 900 || value > 43_200) throw invalid(where)
  return value
}

function assertNothingElse(rest: JsonObject, where: string): void {
  if (Object.keys(rest).length > 0) throw invalid(`${where}.unknown`)
}

const invalid = (reason: string): BrokerError => new BrokerError('invalid_request', reason)
