import type { TokenCredential } from '@azure/core-auth'

/** What {@link createCredentialServer} needs to know. At least one of `aws` and `azure`. */
export interface CredentialServerInit {
  /** What the AWS endpoints serve. Of several, the first is the one that IMDS lists. */
  aws?: AwsInit | readonly AwsInit[]
  /** What the managed identity endpoints serve. */
  azure?: AzureInit
  /** Loopback address to listen on: `::1`, or one that begins with `127.`. Default: `127.0.0.1`. */
  host?: string
  /** TCP port; 0 takes a free one. Default: 0. */
  port?: number
  /**
   * UNIX socket to listen on instead, with mode 0600: only this user, and root, get in. Its folder must be this user's or root's,
   * and closed to others, or sticky. Clients send `Host: localhost`. SDKs have no variable for it. Not on Windows.
   */
  socketPath?: string
  /**
   * Whether only processes of this user, and of `allowedUids`, are answered. Linux only.
   * Default: true on Linux; elsewhere, and with `socketPath`, false, and true is a `TypeError`.
   */
  sameUserOnly?: boolean
  /** Further users that are answered, 255 at most. Default: none. */
  allowedUids?: readonly number[]
  /** Lets the IMDS forms, which no secret guards, run without `sameUserOnly`. Default: false. */
  dangerouslyAllowAnyUser?: boolean
  limits?: ServerLimits
  /** Told of every refusal, and of each failed call of a credential. Nothing in it is secret; what it throws is ignored. */
  onEvent?: (event: CredentialServerEvent) => void
  /** Milliseconds since the epoch. Default: `Date.now`; IMDSv2 session tokens then end by a clock that nobody sets. */
  clock?: () => number
  /** A number from 0 up to 1, for jitter. Default: `Math.random`. */
  random?: () => number
}

/** Credentials of one role; a part of {@link CredentialServerInit}. */
export interface AwsInit {
  /** Where sessions come from: any `AwsCredentialIdentityProvider` whose credentials end. */
  provider: AwsSessionProvider
  /** What clients ask IMDS for: letters, digits and `_+=,.@-`, 64 at most. */
  roleName: string
  /** Answers of the container form name it. */
  roleArn?: string
  /** Whether the IMDSv2 form is served. Default: true. */
  imds?: boolean
  /** The form of ECS and EKS, which a secret guards. `{}` serves it with defaults. Default: not served. */
  container?: AwsContainerInit
  /** Whether `listen()` leaves the first session to the first client. Default: false: it fails where there is none. */
  lazy?: boolean
}

/** What is called for a session. Every `AwsCredentialIdentityProvider` of the AWS SDK fits. */
export type AwsSessionProvider = () => Promise<{
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}>

/** The container form of {@link AwsInit}. */
export interface AwsContainerInit {
  /** Secret that clients send, 16 to 1024 printable characters. Default: 32 random octets as base64url. */
  authorizationToken?: string
  /** File that the secret is written to, with mode 0600, while the server listens. Default: none. */
  tokenFile?: string
  /** Default: `/container/<roleName>`. */
  path?: string
}

/** The Azure part of {@link CredentialServerInit}. */
export interface AzureInit {
  /** Where the tokens come from: anything with the `getToken` of `@azure/core-auth`. */
  credential: TokenCredential
  /** Resources that are served, compared exactly: `https://storage.azure.com/`. Default: any; the credential decides. */
  allowedResources?: readonly string[]
  /** Secret of the App Service form, 16 to 256 printable characters. Default: 32 random octets as base64url. */
  identityHeader?: string
  /** GUID of the application; clients that ask for another one are refused. */
  clientId?: string
  /** Whether the IMDS form is served as well. Default: false. */
  imds?: boolean
}

/** Bounds for clients and for the credential. */
export interface ServerLimits {
  /**
   * Connections at a time, 8 to 65536; beyond that the user who has most loses one, the oldest silent one first. Those being looked
   * up do not count. Default: 512.
   */
  maxConnections?: number
  /** How long a client may take to send a request, in milliseconds, 100 to 60 000. Default: 5000. */
  clientTimeoutMs?: number
  /** How long one call of the credential may take, in milliseconds, 100 to 120 000. Default: 15 000. */
  credentialTimeoutMs?: number
}

/** Why a client was refused, from this list alone. */
export type RefusalReason =
  | 'host' // no Host header, several, or one that is not ours: DNS rebinding
  | 'browser' // Origin, Referer or Sec-Fetch-*: a web page
  | 'forwarded' // came through a proxy
  | 'peer' // a process of another user, or nobody knows whose
  | 'path' // no such endpoint
  | 'method'
  | 'body' // none is taken
  | 'malformed' // not HTTP, too large, or too slow
  | 'secret' // identity header or authorization token missing or wrong
  | 'token' // IMDSv2 session token missing, wrong, another user's, or over
  | 'metadata' // `Metadata: true` missing
  | 'parameter' // missing, repeated or unreadable
  | 'identity' // asks for an identity that is not the configured one
  | 'resource' // not a resource, or not an allowed one
  | 'busy' // too many resources at a time
  | 'credential' // the credential gave no token
  | 'closing'
  | 'internal'

/** One line for a log. */
export interface CredentialServerEvent {
  /** `refused`: a client got nothing. `refresh-failed`: the credential gave none; clients may still be served the last one. */
  type: 'refused' | 'refresh-failed'
  reason: RefusalReason
  /** HTTP status that the client got, or would get. */
  status: number
  /** Which endpoint, where the request got that far. */
  route?: string
  /** Whose session could not be refreshed, of AWS. */
  roleName?: string
  /** The client's user id, where it was looked up. */
  uid?: number
  /** The error's own code, where it has one of the form `ERR_…`. */
  code?: string
}

/** Address that a {@link CredentialServer} listens on. Of a UNIX socket: its path, and 0. */
export interface ServerAddress {
  host: string
  port: number
}

/** How one role of AWS is doing. */
export interface RoleHealth {
  roleName: string
  /** When the session that is served ends, in milliseconds since the epoch. Absent where there is none. */
  expiresAt?: number
  /** Whether the last call of the provider failed. */
  isFailing: boolean
}

/** A server that {@link createCredentialServer} made. */
export interface CredentialServer {
  /**
   * Gets a first session of each AWS provider that is not lazy, then starts to listen. Once only.
   * @throws {CredentialServerError}
   */
  listen(): Promise<ServerAddress>
  /**
   * Variables that point SDKs at the server. Those with `TOKEN`, `HEADER` or `SECRET` in their name are secret.
   *
   * @param roleName Of several AWS roles, the one that is wanted. Others than the first are found by the container form only.
   * @throws {CredentialServerError} `ERR_SERVER_STATE` while it does not listen.
   * @throws {TypeError} where no variable leads to such a role, or to a UNIX socket.
   */
  environment(roleName?: string): Record<string, string>
  /** How the roles of AWS are doing, for a line in a log. Asks nobody. */
  health(): RoleHealth[]
  /** Stops: no new connections, five seconds for requests under way, then the rest is cut. A second call does nothing. */
  close(): Promise<void>
}
