/** Where an application gets its tokens; nothing here comes from a request. */
export interface EntraEndpoint {
  readonly tenantId: string
  readonly clientId: string
  /** `https://login.microsoftonline.com` */
  readonly authorityHost: string
  /** `<authorityHost>/<tenantId>/oauth2/v2.0/token`: the only URL that is ever asked. */
  readonly tokenUrl: string
}

/** An access token, with what audit may know of it. */
export interface EntraToken {
  /** Secret. */
  readonly accessToken: string
  /** Seconds since the epoch. */
  readonly obtainedAt: number
  /** Seconds since the epoch. */
  readonly expiresAt: number
  readonly audit: Readonly<Record<string, string | number>>
}

/** What an HTTP request came back with. */
export interface EntraAnswer {
  readonly status: number
  /** `Retry-After`, where it is in seconds. */
  readonly retryAfterSeconds: number | undefined
  /** `x-ms-request-id`, where it is a GUID. */
  readonly requestId: string | undefined
  /** Empty where it was larger than any real one. */
  readonly body: Uint8Array
}

/** No answer. Has no cause: Node's HTTP parser puts the packet into its errors. */
export class EntraTransportError extends Error {
  override readonly name = 'EntraTransportError'
  /** `connect`: nothing was sent. */
  readonly kind: 'connect' | 'answer'
  readonly timedOut: boolean

  constructor(kind: EntraTransportError['kind'], timedOut: boolean) {
    super(`Entra did not answer (${kind}${timedOut ? ', timed out' : ''})`)
    this.kind = kind
    this.timedOut = timedOut
  }
}

/** A GUID in lower case; `undefined` where it is none. */
export const guidOf = (value: unknown): string | undefined =>
  typeof value === 'string' && GUID.test(value) ? value.toLowerCase() : undefined

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
