import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'

/** Canonical codes of google.rpc.Code, https://cloud.google.com/kms/docs/reference/rest and code.proto */
const CODES: Readonly<Record<number, readonly [name: string, code: HmacBackendErrorCode]>> = {
  3: ['INVALID_ARGUMENT', 'ERR_HMAC_KEY'], // another key or other data than it was wrapped for
  4: ['DEADLINE_EXCEEDED', 'ERR_HMAC_TIMEOUT'],
  5: ['NOT_FOUND', 'ERR_HMAC_KEY'],
  7: ['PERMISSION_DENIED', 'ERR_HMAC_DENIED'],
  8: ['RESOURCE_EXHAUSTED', 'ERR_HMAC_UNAVAILABLE'],
  9: ['FAILED_PRECONDITION', 'ERR_HMAC_KEY'], // the version is disabled or to be destroyed
  10: ['ABORTED', 'ERR_HMAC_UNAVAILABLE'],
  13: ['INTERNAL', 'ERR_HMAC_UNAVAILABLE'],
  14: ['UNAVAILABLE', 'ERR_HMAC_UNAVAILABLE'],
  16: ['UNAUTHENTICATED', 'ERR_HMAC_DENIED'],
}

/** Nothing of the SDK's error is passed on but names: it holds the request, with its bearer token. */
export function googleKmsError(cause: unknown, keyName: string): HmacBackendError {
  if (cause instanceof HmacBackendError) return cause
  const { code, name, message } = (cause ?? {}) as { code?: unknown; name?: unknown; message?: unknown }
  const fail = (label: string, ours: HmacBackendErrorCode): HmacBackendError =>
    new HmacBackendError(ours, `kms: ${keyName}: ${label}`)
  const status = statusOf(cause)
  if (typeof code === 'number' && CODES[code] !== undefined && status === undefined) return fail(...CODES[code])
  if (typeof message === 'string' && message.includes('Could not load the default credentials')) {
    return fail('no Application Default Credentials', 'ERR_HMAC_DENIED')
  }
  // What the token endpoint said, or did not.
  if (status !== undefined && status >= 400 && status < 500 && status !== 429)
    return fail(`login: HTTP ${status}`, 'ERR_HMAC_DENIED')
  if (name === 'SyntaxError') return fail('an answer that is not JSON', 'ERR_HMAC_RESPONSE')
  const label = typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : 'no answer'
  return fail(label, 'ERR_HMAC_UNAVAILABLE')
}

/** HTTP status of an error that the HTTP client made. */
function statusOf(cause: unknown): number | undefined {
  const { status, response } = (cause ?? {}) as { status?: unknown; response?: { status?: unknown } }
  const value = response?.status ?? status
  return typeof value === 'number' ? value : undefined
}
