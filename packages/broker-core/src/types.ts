import type { VerifiedAttestation } from '@hardbound/attestation-verify'
import type { JsonObject } from '@hardbound/attestation-verify/strict-json'

/** Which wire protocol the request came over: DESIGN, "Channel binding and wire protocol". */
export type Protocol = 'v2' | 'go-v1'

/** Who is at the other end of the TLS connection. */
export interface Peer {
  /** IP address of the TCP peer; a balancer's, where one is in front. For audit and limits, never for rights. */
  readonly address: string
  /** Hex SHA-256 of the client certificate's SubjectPublicKeyInfo; `undefined` without one. */
  readonly spkiSha256: string | undefined
  /** Subject alternative names of the verified client certificate, exactly as they stand there, by kind. */
  readonly san: { readonly dns: readonly string[]; readonly uri: readonly string[] }
}

/** What the client asks for. Rights come from policy; this only chooses among what a rule allows. */
export type CredentialRequest =
  | {
      readonly target: 'aws'
      /** Left out: the rule's role. */
      readonly roleArn: string | undefined
      /** Seconds. Left out: the rule's maximum, or an hour if that is less. */
      readonly durationSeconds: number | undefined
      /** Go-v1 with `use_assume_role=false`: GetSessionToken. */
      readonly sessionToken: boolean
    }
  | {
      readonly target: 'azure'
      /** One scope, `https://storage.azure.com/.default`. */
      readonly scope: string
      /** Directory (tenant) and application (client) it should come from. Left out: the rule's. */
      readonly tenantId: string | undefined
      readonly clientId: string | undefined
    }

/** What an AWS rule grants, worked out for one request; nothing in it comes from the client but the choice of role. */
export interface AwsGrant {
  readonly target: 'aws'
  readonly action: 'AssumeRole' | 'GetSessionToken'
  /** `undefined` for GetSessionToken. */
  readonly roleArn: string | undefined
  readonly durationSeconds: number
  /** `[\w+=,.@-]{2,64}`, from attested claims. */
  readonly roleSessionName: string
  readonly sourceIdentity: string | undefined
  readonly externalId: string | undefined
  /** Session policy, JSON text. */
  readonly sessionPolicy: string | undefined
  readonly tags: readonly { readonly key: string; readonly value: string }[]
  /** Keys of `tags` that role chaining carries on. */
  readonly transitiveTagKeys: readonly string[]
  /** AWS region whose STS endpoint to use; `undefined`: the issuer's. */
  readonly region: string | undefined
  /** Refuse an answer that doesn't prove the session policy was seen (no PackedPolicySize). */
  readonly requirePackedPolicySize: boolean
}

/** What an Azure rule grants; the client chose among its scopes. */
export interface AzureGrant {
  readonly target: 'azure'
  /** Directory (tenant) id, a lower-case GUID. */
  readonly tenantId: string
  /** Application (client) id, a lower-case GUID. */
  readonly clientId: string
  /** The one scope, ending in `/.default`. */
  readonly scope: string
}

/** Grants of other targets carry their own fields beside `target`. */
export interface OtherGrant {
  readonly target: string
  readonly [field: string]: unknown
}

export type Grant = AwsGrant | AzureGrant | OtherGrant

export interface PolicyInput {
  readonly attestation: VerifiedAttestation
  readonly request: CredentialRequest
  readonly peer: Peer
  readonly protocol: Protocol
}

/** One condition of one rule, with whether it held; `detail` is for people and names no secret. */
export interface ConditionOutcome {
  readonly condition: string
  readonly held: boolean
  readonly detail: string
}

export type PolicyDecision =
  | { readonly allow: true; readonly rule: string; readonly grant: Grant }
  | {
      readonly allow: false
      /** 403, or 400 where the request is ambiguous. */
      readonly code: 'policy_denied' | 'invalid_request'
      /** Fine-grained, for audit: `claim.image_digest`, `peer.unmapped`, `request.role_arn` … */
      readonly reason: string
    }

/** Decides what an attested workload may have. Pure: the same input gives the same decision. */
export interface Policy {
  /** Identifies the policy in audit: hex SHA-256 of its text. */
  readonly version: string
  decide(input: PolicyInput): PolicyDecision
  /** Rule by rule, and target by target, which condition held and which did not. */
  explain(
    input: PolicyInput,
  ): { readonly rule: string; readonly target: string; readonly conditions: readonly ConditionOutcome[] }[]
}

/** What an issuer hands out. */
export interface IssuedCredential {
  /** The body of the 200 answer, target by target: DESIGN, section 3. Secret. */
  readonly body: JsonObject
  /** When it ends, seconds since the epoch. */
  readonly expiresAt: number
  /** What audit may know: access key id, assumed role ARN, upstream request id, attempts. No secret. */
  readonly audit: Readonly<Record<string, string | number>>
}

/** Turns a grant into credentials. One implementation per target. */
export interface CredentialIssuer {
  /** `aws`, `azure`, or a target of your own. */
  readonly target: string
  /**
   * @throws {BrokerError} with the code of the public answer and a fine-grained reason.
   */
  issue(grant: Grant, context: { readonly requestId: string; readonly signal: AbortSignal }): Promise<IssuedCredential>
}

/** One fact for the audit log. Values are flat and free of secrets. */
export interface AuditRecord {
  readonly event:
    | 'intent' // about to ask upstream
    | 'grant' // credentials were issued; written before the answer leaves
    | 'deny'
    | 'unknown_outcome' // upstream was asked and did not answer in time
    | 'orphan_grant' // upstream answered after we had given up
    | 'abandoned' // the client left while upstream was asked
    | 'start'
    | 'recovered' // a torn tail was cut off
  readonly requestId?: string
  readonly [field: string]: string | number | boolean | undefined
}

/** Keeps records. A grant leaves the broker only when its record is durable. */
export interface AuditSink {
  /**
   * @returns when the record is durable.
   * @throws when it can't be made so, within a bounded time.
   */
  append(record: AuditRecord): Promise<void>
  /** Whether the last write went well. */
  ready(): boolean
  close(): Promise<void>
}
