import { BrokerError } from '../errors.ts'
import { type StsCall, StsTransportError } from './sts-call.ts'

/** STS error codes, without the suffix `Exception` that some carry, to our reason. */
const REJECTED = new Map([
  ['AccessDenied', 'upstream.access_denied'],
  ['PackedPolicyTooLarge', 'upstream.packed_policy'],
  ['MalformedPolicyDocument', 'upstream.malformed_policy'],
  ['ValidationError', 'upstream.validation'],
  ['RegionDisabled', 'upstream.region_disabled'],
])
/** Our own AWS identity is at fault: asking again changes nothing, an operator must look. */
const SIGNER = new Map([
  ['SignatureDoesNotMatch', 'upstream.signature'],
  ['InvalidSignature', 'upstream.signature'],
  ['IncompleteSignature', 'upstream.signature'],
  ['MissingAuthenticationToken', 'upstream.signature'],
  ['RequestExpired', 'upstream.clock_skew'],
  ['RequestTimeTooSkewed', 'upstream.clock_skew'],
  ['RequestInTheFuture', 'upstream.clock_skew'],
  ['InvalidClientTokenId', 'upstream.credentials'],
  ['UnrecognizedClient', 'upstream.credentials'],
  ['ExpiredToken', 'upstream.credentials'],
  ['CredentialsProviderError', 'upstream.credentials'],
])
const THROTTLED = new Set(['Throttling', 'Throttled', 'RequestLimitExceeded', 'SlowDown', 'TooManyRequests'])
const DEFAULT_RETRY_AFTER_SECONDS = 2
const MAX_RETRY_AFTER_SECONDS = 300

/** What a failed call means to the client. Carries no cause: STS names accounts, roles and principals in its texts. */
export function toBrokerError(error: unknown, call: StsCall): BrokerError {
  if (call.abortSignal.reason === 'abandoned') return new BrokerError('upstream_timeout', 'abandoned')
  if (error instanceof BrokerError) return error
  const signer = signerReason(error)
  if (signer !== undefined) return new BrokerError('signer_unavailable', signer)
  // Nothing was sent: there were no credentials to sign with.
  if (call.attempts === 0) return new BrokerError('signer_unavailable', 'upstream.credentials')
  if (call.abortSignal.aborted) return new BrokerError('upstream_timeout', 'upstream.unknown_outcome')
  if (error instanceof StsTransportError) return fromTransport(error, call)
  return fromService(error, call)
}

/** `ERR_HMAC_LOCKED` of the hardware that signs becomes `signer.hmac_locked`. */
function signerReason(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^ERR_(?:HMAC|SIGV4)_[A-Z_]{1,40}$/.test(code) ? `signer.${code.slice(4).toLowerCase()}` : undefined
}

function fromTransport({ kind }: StsTransportError, call: StsCall): BrokerError {
  if (kind === 'timeout') return new BrokerError('upstream_timeout', 'upstream.unknown_outcome')
  return new BrokerError('upstream_unavailable', kind === 'reset' ? 'upstream.unknown_outcome' : 'upstream.connect', {
    retryAfterSeconds: retryAfter(call),
  })
}

function fromService(error: unknown, call: StsCall): BrokerError {
  const { name, status, requestId } = describe(error)
  const facts = { attempts: call.attempts, ...(requestId === undefined ? {} : { aws_request_id: requestId }) }
  const rejected = REJECTED.get(name)
  if (rejected !== undefined) return new BrokerError('upstream_rejected', rejected, { facts })
  const signer = SIGNER.get(name)
  if (signer !== undefined) return new BrokerError('signer_unavailable', signer, { facts })
  if (THROTTLED.has(name) || status === 429) {
    return new BrokerError('upstream_unavailable', 'upstream.throttled', { facts, retryAfterSeconds: retryAfter(call) })
  }
  if (status === 200) return new BrokerError('upstream_rejected', 'upstream.format', { facts })
  if (status >= 300 && status < 500) return new BrokerError('upstream_rejected', 'upstream.refused', { facts })
  return new BrokerError('upstream_unavailable', 'upstream.server_error', {
    facts,
    retryAfterSeconds: retryAfter(call),
  })
}

/** Name, HTTP status and request id of an SDK error; `''` and 0 where it has none. */
function describe(error: unknown): { name: string; status: number; requestId: string | undefined } {
  if (!(error instanceof Error)) return { name: '', status: 0, requestId: undefined }
  const { $metadata = {} } = error as Error & { $metadata?: { httpStatusCode?: number; requestId?: string } }
  const requestId = /^[\w-]{1,64}$/.exec($metadata.requestId ?? '')?.[0]
  return { name: error.name.replace(/Exception$/, ''), status: $metadata.httpStatusCode ?? 0, requestId }
}

function retryAfter({ retryAfterSeconds = DEFAULT_RETRY_AFTER_SECONDS }: StsCall): number {
  return Math.min(Math.max(retryAfterSeconds, 1), MAX_RETRY_AFTER_SECONDS)
}
