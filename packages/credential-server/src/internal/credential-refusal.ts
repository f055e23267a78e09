import { ExpiredError } from './refreshing-source.ts'
import { Refusal } from './refusal.ts'
import { DeadlineError } from './with-deadline.ts'

const CODE = /^ERR_[A-Z0-9_]{1,60}$/
/** Codes of what may be better soon. */
const TRANSIENT = /_(?:UNREACHABLE|UNAVAILABLE|TIMEOUT|NOT_ATTESTABLE)$/

/**
 * What a client is told of an error of the credential: fixed text and the error's code. SDKs try again after 500 and 503, and
 * not after 403.
 *
 * @param retryAfterSeconds How long the credential will not be asked again.
 */
export function credentialRefusal(error: unknown, retryAfterSeconds = 0): Refusal {
  const options = retryAfterSeconds > 0 ? { retryAfterSeconds } : {}
  if (error instanceof Refusal) {
    return new Refusal(error.status, error.reason, error.message, { ...error.options, ...options })
  }
  const code = errorCode(error)
  const withCode = code === undefined ? options : { ...options, code }
  const suffix = code === undefined ? '' : ` (${code})`
  const status = statusOf(error, code)
  if (status === 403) {
    return new Refusal(403, 'credential', `the credential was refused${suffix}`, code === undefined ? {} : { code })
  }
  const text = status === 503 ? 'the credential has no token now' : 'the credential failed'
  return new Refusal(status, 'credential', `${text}${suffix}`, withCode)
}

function statusOf(error: unknown, code: string | undefined): 403 | 500 | 503 {
  if (error instanceof DeadlineError || error instanceof ExpiredError) return 503
  if (code !== undefined && TRANSIENT.test(code)) return 503
  const { name, statusCode } = (typeof error === 'object' && error !== null ? error : {}) as Partial<
    Record<'name' | 'statusCode', unknown>
  >
  if (name === 'CredentialUnavailableError' || name === 'AggregateAuthenticationError') return 503
  if (typeof statusCode !== 'number') return 500
  if (statusCode >= 500 || statusCode === 408 || statusCode === 429) return 503
  return statusCode >= 400 ? 403 : 500
}

/** The `code` of an error, where it is one of ours or of Node: others may have been made of an answer. */
function errorCode(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' && CODE.test(code) ? code : undefined
}
