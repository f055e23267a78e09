import type { TestAws } from '../aws.ts'
import type { Fault } from '../internal/http.ts'

/** How an emulated Roles Anywhere starts. */
export interface RolesAnywhereOptions {
  /** Sessions become sessions of this STS and S3 too, and end by its `shortenSessionsTo` where this emulator has none. */
  readonly aws?: TestAws
  /** Milliseconds since 1970; default: the real clock. The `Date` header follows it. */
  readonly clock?: () => number
  /** HTTPS with a certificate of `caPem` for 127.0.0.1 and localhost. Default: false, plain HTTP. */
  readonly tls?: boolean
}

/** Whom the account trusts: certificates of authorities, roots or not. */
export interface TrustAnchor {
  /** `arn:aws:rolesanywhere:<region>:<12 digits>:trust-anchor/<id>` */
  readonly arn: string
  /** One or more certificates. */
  readonly caPem: string
  /** Revocation lists, PEM, each signed by one of the authorities above or by an intermediate. */
  readonly crlPem?: string
}

/** What may be asked for, and by default is. */
export interface Profile {
  /** `arn:aws:rolesanywhere:<region>:<12 digits>:profile/<id>` */
  readonly arn: string
  readonly roleArns: readonly string[]
  /** Of a session at most, and where the request names no duration. Default: 3600. */
  readonly durationSeconds?: number
  /** Default: false. */
  readonly acceptRoleSessionName?: boolean
  /** A policy (JSON) that every session is cut down to. */
  readonly sessionPolicy?: string
  /** Default: true. */
  readonly enabled?: boolean
}

/** A role with conditions in its trust policy. One that a profile names and nobody added trusts every certificate, for any time. */
export interface RolesAnywhereRole {
  readonly arn: string
  /** Values by tag, `x509Subject/CN`, `x509Issuer/O`, `x509SAN/DNS`: the certificate has to have one of them. */
  readonly conditions?: Readonly<Record<string, string | readonly string[]>>
  /** `aws:SourceArn`: the trust anchors that may be used. Default: all. */
  readonly trustAnchorArns?: readonly string[]
  /** A session that would last longer is refused. Default: 3600, as at IAM. */
  readonly maxSessionSeconds?: number
}

/** A CreateSession that was verified and answered. */
export interface RolesAnywhereCall {
  readonly roleArn: string
  readonly profileArn: string
  readonly trustAnchorArn: string
  /** Of the leaf, decimal. */
  readonly serial: string
  /** Of the leaf: `CN=worked.example,OU=Two`, most specific first. */
  readonly subject: string
  /** `AWS4-X509-ECDSA-SHA256` */
  readonly algorithm: string
  readonly signedHeaders: readonly string[]
  /** `X-Amz-Date` */
  readonly amzDate: string
  /** Of the session that was granted: the shorter one of what was asked for and what the profile has. */
  readonly durationSeconds: number
  /** As sent. */
  readonly requestedSeconds?: number
  readonly roleSessionName?: string
  /** Certificates in `X-Amz-X509-Chain`. */
  readonly chainLength: number
  /** `Amz-Sdk-Request`, `attempt=1; max=3` */
  readonly attempt?: string
  /** Where the ARNs were. */
  readonly arnsIn: 'query' | 'body'
  /** Access key id of the session. */
  readonly accessKeyId: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Body of a 201. */
export interface SessionAnswer {
  readonly credentialSet: readonly {
    readonly assumedRoleUser: { readonly arn: string; readonly assumedRoleId: string }
    readonly credentials: {
      readonly accessKeyId: string
      /** `2026-11-01T13:00:00Z` */
      readonly expiration: string
      readonly secretAccessKey: string
      readonly sessionToken: string
    }
    /** Percent. */
    readonly packedPolicySize: number
    readonly roleArn: string
    readonly sourceIdentity: string
  }[]
  readonly subjectArn: string
}

/** A request that was refused. */
export interface RolesAnywhereRefusalRecord {
  readonly status: number
  /** `AccessDeniedException` */
  readonly code: string
  /** As the client got it. */
  readonly message: string
  /** What was wrong in truth, for the one who reads a failed test. */
  readonly detail: string
}

/** A running stand-in for AWS IAM Roles Anywhere: CreateSession. */
export interface TestRolesAnywhere {
  /** `http://127.0.0.1:<port>`, or `https:` */
  readonly endpoint: string
  readonly port: number
  /** The authority of its TLS certificate, PEM; only with `tls`. */
  readonly caPem?: string
  /** The same ARN again replaces it. */
  addTrustAnchor(anchor: TrustAnchor): void
  /** The same ARN again replaces it. */
  addProfile(profile: Profile): void
  /** The same ARN again replaces it. */
  addRole(role: RolesAnywhereRole): void
  readonly calls: RolesAnywhereCall[]
  readonly refusals: RolesAnywhereRefusalRecord[]
  /** All requests, those that a fault answered included. */
  readonly requests: {
    readonly method: string
    readonly path: string
    readonly attempt?: string
    readonly at: number
  }[]
  /** Answers in place of the emulator, whatever the request is. */
  fault: Fault | undefined
  /** Changes the answers to good requests: gives what goes out, a string as it is, all else as JSON. */
  answer: ((body: SessionAnswer) => unknown) | undefined
  /** Sessions end after so many seconds, whatever was asked for. */
  shortenSessionsTo: number | undefined
  /** Ends every connection. A second call does nothing. */
  close(): Promise<void>
}
