import { randomUUID } from 'node:crypto'

/**
 * HTTP status and OAuth error by AADSTS code. Codes as in "Microsoft Entra authentication and authorization error
 * codes" and in error answers that users made public.
 */
const CODES = {
  AADSTS50013: [401, 'invalid_client'], // assertion failed signature validation (federated)
  AADSTS50027: [401, 'invalid_client'], // invalid JWT; here also a second use of a jti
  AADSTS50059: [400, 'invalid_request'], // no tenant in the request: common, organizations, consumers
  AADSTS70003: [400, 'unsupported_grant_type'],
  AADSTS70011: [400, 'invalid_scope'], // malformed
  AADSTS90002: [400, 'invalid_request'], // tenant not found
  AADSTS90023: [400, 'invalid_request'],
  AADSTS90055: [429, 'temporarily_unavailable'], // throttled
  AADSTS90033: [503, 'temporarily_unavailable'], // a service is temporarily unavailable
  AADSTS28000: [400, 'invalid_scope'], // more than one resource
  AADSTS500011: [400, 'invalid_resource'], // resource not found in the tenant
  AADSTS700016: [400, 'unauthorized_client'], // application not found in the tenant
  AADSTS700021: [401, 'invalid_client'], // iss or sub is not client_id
  AADSTS700023: [401, 'invalid_client'], // audience
  AADSTS700024: [401, 'invalid_client'], // not within its valid time range
  AADSTS700027: [401, 'invalid_client'], // certificate not registered, or its signature is invalid
  AADSTS700211: [401, 'invalid_client'], // federated: issuer
  AADSTS700212: [401, 'invalid_client'], // federated: audience
  AADSTS700213: [401, 'invalid_client'], // federated: subject
  AADSTS900023: [400, 'invalid_request'], // tenant identifier is not valid
  AADSTS900144: [400, 'invalid_request'], // a parameter is missing
  AADSTS900561: [400, 'invalid_request'], // only POST
  AADSTS1000502: [401, 'invalid_client'], // certificate not within its validity period
  AADSTS1002012: [400, 'invalid_scope'], // no /.default
  AADSTS7000215: [401, 'invalid_client'], // wrong secret
  AADSTS7000216: [401, 'invalid_client'], // no credential
  AADSTS7000222: [401, 'invalid_client'], // expired secret
  AADSTS7002138: [401, 'invalid_client'], // federated: subject differs in case only
  AADSTS9000411: [400, 'invalid_request'], // a parameter is duplicated
} as const satisfies Record<`AADSTS${number}`, readonly [number, string]>

/** A code the emulator can refuse with. */
export type EntraErrorCode = keyof typeof CODES

/** What the emulator throws to refuse a request. Messages never quote a secret or an assertion. */
export class EntraRefusal extends Error {
  override readonly name = 'EntraRefusal'
  readonly code: EntraErrorCode
  /** The OAuth error, `invalid_client`. */
  readonly error: string
  /** HTTP status of the answer. */
  readonly status: number

  constructor(code: EntraErrorCode, message: string) {
    super(message)
    this.code = code
    ;[this.status, this.error] = CODES[code]
  }
}

/** The JSON of an error answer. */
export function errorBody({ code, error, message }: EntraRefusal, nowMs: number, correlationId: string): object {
  const timestamp = new Date(nowMs).toISOString().replace('T', ' ').replace(/\.\d+/, '')
  const trace = randomUUID()
  return {
    error,
    error_description: `${code}: ${message}. Trace ID: ${trace} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [Number(code.slice('AADSTS'.length))],
    timestamp,
    trace_id: trace,
    correlation_id: correlationId,
    error_uri: `https://login.microsoftonline.com/error?code=${code.slice('AADSTS'.length)}`,
  }
}
