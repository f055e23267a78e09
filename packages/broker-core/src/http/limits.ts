/** Bounds on what clients can make the server do. Times in milliseconds. */
export interface BrokerLimits {
  /** For a TLS handshake. */
  readonly handshakeTimeoutMs: number
  /** For the headers of a request to arrive; for the first one, since the handshake: its attestation is made in that time. */
  readonly headersTimeoutMs: number
  /** For a whole request to arrive. */
  readonly requestTimeoutMs: number
  /** For a grant: verification, policy, upstream and audit together. */
  readonly grantTimeoutMs: number
  /** For the answer to be taken. */
  readonly writeTimeoutMs: number
  /** How long a connection may wait for its next request. */
  readonly keepAliveTimeoutMs: number
  /** How long after its handshake a connection may still ask: its keying material should be fresh. */
  readonly maxConnectionAgeMs: number
  /** Requests on one connection. */
  readonly maxRequestsPerConnection: number
  /** Octets of a request's body. */
  readonly maxBodyBytes: number
  /** Octets of a request's headers, and their count. */
  readonly maxHeaderBytes: number
  readonly maxHeaders: number
  /** Connections in all, and from one address: raise the latter where a balancer is in front. */
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  /** Requests being worked on at once. */
  readonly maxInFlight: number
  /** Requests a second from one peer: one client certificate, or one address without. */
  readonly requestsPerSecond: number
}

/** The limits in force unless told otherwise. */
export const DEFAULT_LIMITS: BrokerLimits = Object.freeze({
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 20_000,
  grantTimeoutMs: 15_000,
  writeTimeoutMs: 10_000,
  keepAliveTimeoutMs: 5_000,
  maxConnectionAgeMs: 300_000,
  maxRequestsPerConnection: 4,
  maxBodyBytes: 65_536,
  maxHeaderBytes: 16_384,
  maxHeaders: 64,
  maxConnections: 12_000,
  maxConnectionsPerAddress: 1_000,
  maxInFlight: 512,
  requestsPerSecond: 500,
})
