import type { JsonObject, JsonValue } from '@hardbound/attestation-verify/strict-json'
import type { PolicyInput } from '../types.ts'

/** What CEL expressions and templates can see, besides `rule` in templates. */
export interface PolicyVariables {
  /** The token's payload as it was signed. */
  readonly assertion: JsonObject
  readonly request: JsonObject
  readonly peer: JsonObject
}

/** Puts an input under the names that policies use. What is not there is left out, so that `has()` can ask. */
export function policyVariables({ attestation, request, peer }: PolicyInput): PolicyVariables {
  return {
    assertion: attestation.assertion,
    request:
      request.target === 'aws'
        ? present({ target: 'aws', role_arn: request.roleArn, duration_seconds: request.durationSeconds })
        : present({
            target: 'azure',
            scope: request.scope,
            tenant_id: request.tenantId,
            client_id: request.clientId,
          }),
    peer: present({
      address: peer.address,
      spki_sha256: peer.spkiSha256,
      dns: [...peer.san.dns],
      uri: [...peer.san.uri],
    }),
  }
}

const present = (fields: Record<string, JsonValue | undefined>): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter((field): field is [string, JsonValue] => field[1] !== undefined))
