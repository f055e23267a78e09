import type { TokenCredential } from '@azure/core-auth'

/** What {@link createCredentialServer} needs to know. */
export interface CredentialServerInit {
  /** What the managed identity endpoints serve. */
  azure: AzureInit
  /** Loopback address to listen on: `::1`, or one that begins with `127.`. Default: `127.0.0.1`. */
  host?: string
  /** TCP port; 0 takes a free one. Default: 0. */
  port?: number
  /**
   * Whether only processes of this user, and of `allowedUids`, are answered. Linux only.
   * Default: true on Linux; elsewhere false, and true is a `TypeError`.
   */
  sameUserOnly?: boolean
  /** Further users that are answered. Default: none. */
  allowedUids?: readonly number[]
  /** Lets the IMDS form, which no secret guards, run without `sameUserOnly`. Default: false. */
  dangerouslyAllowAnyUser?: boolean
  limits?: ServerLimits
  /** Told of every refusal, and of each failed call of a credential. Nothing in it is secret; what it throws is ignored. */
  onEvent?: (event: CredentialServerEvent) => void
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: () => number
  /** A number from 0 up to 1, for jitter. Default: `Math.random`. */
  random?: () => number
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
  /** Connections at a time, 8 to 65536; beyond that the oldest silent one goes. Those being looked up do not count. Default: 512. */
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
  | 'secret' // identity header missing or wrong
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
  /** `refused`: a client got no token. `refresh-failed`: the credential gave none; clients may still be served the last one. */
  type: 'refused' | 'refresh-failed'
  reason: RefusalReason
  /** HTTP status that the client got, or would get. */
  status: number
  /** Which endpoint, where the request got that far. */
  route?: string
  /** The client's user id, where it was looked up. */
  uid?: number
  /** The error's own code, where it has one of the form `ERR_…`. */
  code?: string
}

/** Address that a {@link CredentialServer} listens on. */
export interface ServerAddress {
  host: string
  port: number
}

/** A server that {@link createCredentialServer} made. */
export interface CredentialServer {
  /**
   * Starts to listen. Once only.
   * @throws {CredentialServerError}
   */
  listen(): Promise<ServerAddress>
  /**
   * Variables that point Azure SDKs at the server. `IDENTITY_HEADER` and `MSI_SECRET` are secret.
   * @throws {CredentialServerError} `ERR_SERVER_STATE` while it does not listen.
   */
  environment(): Record<string, string>
  /** Stops: no new connections, five seconds for requests under way, then the rest is cut. A second call does nothing. */
  close(): Promise<void>
}
