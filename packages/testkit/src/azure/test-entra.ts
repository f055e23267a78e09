import type { Fault } from '../internal/http.ts'
import type { JsonObject } from '../kms/json.ts'
import type { EntraApplicationInit } from './application.ts'

/** How an emulated Entra starts. */
export interface EntraOptions {
  /** Milliseconds since 1970; default: the real clock. */
  readonly clock?: () => number
  /** Default: 3599. */
  readonly tokenLifetimeSeconds?: number
}

/** A token request that was granted. */
export interface EntraCall {
  readonly tenantId: string
  readonly clientId: string
  readonly scope: string
  readonly method: 'secret' | 'certificate' | 'federated'
  /** Of the assertion. */
  readonly alg?: 'RS256' | 'PS256'
  /** The claims parameter, where one was sent. */
  readonly claims?: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** A token request that was refused. */
export interface EntraRefusalRecord {
  /** `AADSTS7000215` */
  readonly code: string
  /** `invalid_client` */
  readonly error: string
  readonly detail: string
}

/** A running stand-in for Microsoft Entra ID: discovery and the v2.0 token endpoint, client credentials only. */
export interface TestEntra {
  /** `https://127.0.0.1:<port>` */
  readonly authorityHost: string
  readonly port: number
  /** The authority of its TLS certificate (127.0.0.1 and localhost), PEM. */
  readonly caPem: string
  /** Registers an application, and its tenant with it; the same one again replaces it. */
  addApplication(app: EntraApplicationInit): void
  /** How long the next tokens hold. */
  tokenLifetimeSeconds: number
  /**
   * Refuses a jti that a certificate assertion of the same application had before. Default: false, as MSAL sends one
   * assertion again for up to ten minutes, and Entra lets it.
   */
  refuseReplays: boolean
  /** Laid over the claims of the next tokens before they are signed (`undefined` deletes): another `tid`, `aud` ... */
  claims: object
  /** Laid over the next token answers: another `token_type`, `expires_in` ... */
  answer: object
  readonly calls: EntraCall[]
  readonly refusals: EntraRefusalRecord[]
  /** All requests, discovery included. The path has no query. */
  readonly requests: { readonly method: string; readonly path: string }[]
  /** Answers in place of the emulator, whatever the request is. */
  fault: Fault | undefined
  /** Answers all but the token endpoint: discovery that somebody poisoned. */
  discoveryFault: Fault | undefined
  /** @returns The claims of a token that it signed and that is valid now; else `undefined`. */
  tokenFor(accessToken: string): JsonObject | undefined
  /** Ends every connection. A second call does nothing. */
  close(): Promise<void>
}
