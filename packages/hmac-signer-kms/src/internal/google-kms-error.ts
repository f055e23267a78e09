import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'
import { isCertificateCode, isObject, parseObject } from './checks.ts'

/** Canonical codes, https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const CODES: Readonly<Record<string, readonly [number: number, code: HmacBackendErrorCode]>> = {
  INVALID_ARGUMENT: [3, 'ERR_HMAC_KEY'], // another key or other data than it was wrapped for
  DEADLINE_EXCEEDED: [4, 'ERR_HMAC_TIMEOUT'],
  NOT_FOUND: [5, 'ERR_HMAC_KEY'],
  PERMISSION_DENIED: [7, 'ERR_HMAC_DENIED'],
  RESOURCE_EXHAUSTED: [8, 'ERR_HMAC_UNAVAILABLE'],
  FAILED_PRECONDITION: [9, 'ERR_HMAC_KEY'], // the version is disabled or to be destroyed
  ABORTED: [10, 'ERR_HMAC_UNAVAILABLE'],
  INTERNAL: [13, 'ERR_HMAC_UNAVAILABLE'],
  UNAVAILABLE: [14, 'ERR_HMAC_UNAVAILABLE'],
  UNAUTHENTICATED: [16, 'ERR_HMAC_DENIED'],
}

/** Nothing of the SDK's error is passed on but names: it holds the request, with its bearer token. */
export function googleKmsError(cause: unknown, keyName: string): HmacBackendError {
  if (cause instanceof HmacBackendError) return cause
  const fail = (label: string, code: HmacBackendErrorCode): HmacBackendError =>
    new HmacBackendError(code, `kms: ${keyName}: ${label}`)
  const { code, name, message, response } = (cause ?? {}) as Readonly<Record<string, unknown>>
  const text = typeof message === 'string' ? message : ''
  const status = statusOf(text, code)
  if (status !== undefined) return fail(status, (CODES[status] ?? [0, 'ERR_HMAC_RESPONSE'])[1])
  if (text.includes('Could not load the default credentials')) {
    return fail('no Application Default Credentials', 'ERR_HMAC_DENIED')
  }
  if (typeof code === 'string' && isCertificateCode(code)) return fail('the certificate', 'ERR_HMAC_UNTRUSTED')
  // An HTTP status without one of the names above: what the token endpoint, or a proxy, said.
  const http = isObject(response) || (typeof code === 'number' && code >= 400) ? Number(code) : 0
  if (http >= 400 && http < 500 && http !== 429) return fail(`login refused: HTTP ${http}`, 'ERR_HMAC_DENIED')
  if (name === 'SyntaxError') return fail('an answer that is not JSON', 'ERR_HMAC_RESPONSE')
  return fail(typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : 'no answer', 'ERR_HMAC_UNAVAILABLE')
}

/** The REST client puts the service's answer into the message; gRPC clients have a number. */
function statusOf(message: string, code: unknown): string | undefined {
  const error = parseObject(message)?.error
  const named = isObject(error) && typeof error.status === 'string' ? error.status : ''
  if (Object.hasOwn(CODES, named)) return named
  return Object.keys(CODES).find((name) => CODES[name]?.[0] === code)
}
