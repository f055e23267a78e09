import { EkmCredentialError } from '../errors.ts'

/** Whose token it should be. */
export interface ExpectedIdentity {
  readonly scope: string
  /** Lower-case GUID, where one was asked for. */
  readonly tenantId: string | undefined
  /** Lower-case GUID, where one was asked for. */
  readonly clientId: string | undefined
}

/**
 * Refuses a token that says it belongs to another tenant or application, or is for another resource. Access tokens are opaque
 * by contract, so only what can be read is compared, and nothing is concluded from what can't: the signature is for the
 * resource to verify.
 *
 * @throws {EkmCredentialError} `ERR_EKM_IDENTITY_MISMATCH`
 */
export function assertIdentity(token: string, expected: ExpectedIdentity): void {
  const claims = readClaims(token)
  if (claims === undefined) return
  const { tid, aud } = claims
  if (expected.tenantId !== undefined && lower(tid) !== expected.tenantId) throw mismatch('of another tenant')
  const application = claims.appid ?? claims.azp // tokens of version 1.0, of version 2.0
  if (expected.clientId !== undefined && application !== undefined && lower(application) !== expected.clientId) {
    throw mismatch('of another application')
  }
  // Some resources are named by URL in the scope and by GUID in the token, or the other way round.
  const resource = expected.scope.slice(0, -'/.default'.length)
  if (isUrl(resource) && isUrl(aud) && trimmed(aud) !== trimmed(resource)) throw mismatch('for another resource')
}

/** The claims of a signed JWT (RFC 7519 §3); `undefined` for any other token. */
function readClaims(token: string): Record<string, unknown> | undefined {
  const [, payload, signature, ...rest] = token.split('.')
  if (payload === undefined || signature === undefined || rest.length > 0) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const lower = (value: unknown): unknown => (typeof value === 'string' ? value.toLowerCase() : value)
const isUrl = (value: unknown): value is string => typeof value === 'string' && value.includes('://')
const trimmed = (url: string): string => url.toLowerCase().replace(/\/{1,2}$/, '')
const mismatch = (how: string): EkmCredentialError =>
  new EkmCredentialError('ERR_EKM_IDENTITY_MISMATCH', `the broker's token is ${how}`)
