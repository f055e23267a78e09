import type { JsonObject } from '@hardbound/attestation-verify/strict-json'
import { AzureCredentialError } from '../azure-credential-error.ts'
import { BrokerError } from '../errors.ts'
import { type EntraAnswer, type EntraTransportError, guidOf } from './entra-call.ts'
import { readJsonObject } from './entra-json.ts'

/** OAuth error codes (RFC 6749 §5.2, and Entra's own), to our reason. */
const REASONS = new Map([
  ['invalid_client', 'upstream.credentials'],
  ['unauthorized_client', 'upstream.credentials'],
  ['invalid_grant', 'upstream.credentials'],
  ['invalid_scope', 'upstream.scope'],
  ['invalid_resource', 'upstream.scope'],
  ['access_denied', 'upstream.access_denied'],
  ['interaction_required', 'upstream.access_denied'],
])
const DEFAULT_THROTTLE_SECONDS = 10
const DEFAULT_RETRY_AFTER_SECONDS = 2
const MAX_RETRY_AFTER_SECONDS = 3600
const MAX_AADSTS = 99_999_999

/** What an answer other than 200 means. Carries none of its text: Entra names tenants, applications and hashes of secrets. */
export function refusal(answer: EntraAnswer): BrokerError {
  const { status, retryAfterSeconds } = answer
  const error = readJsonObject(answer.body) ?? {}
  const facts = errorFacts(error, answer)
  if (status === 429 || (status >= 500 && retryAfterSeconds !== undefined)) {
    const seconds = Math.max(retryAfterSeconds ?? DEFAULT_THROTTLE_SECONDS, 1)
    return new BrokerError('upstream_unavailable', 'upstream.throttled', {
      facts,
      retryAfterSeconds: Math.min(seconds, MAX_RETRY_AFTER_SECONDS),
    })
  }
  if (status >= 500) return unavailable('upstream.server_error', facts)
  const name = typeof error.error === 'string' ? error.error : ''
  return new BrokerError('upstream_rejected', REASONS.get(name) ?? 'upstream.refused', { facts })
}

/** What it means that there is no answer. */
export function silence({ kind, timedOut }: EntraTransportError): BrokerError {
  const reason = kind === 'connect' ? 'upstream.connect' : 'upstream.unknown_outcome'
  return timedOut ? new BrokerError('upstream_timeout', reason) : unavailable(reason, {})
}

/**
 * Our own secret, certificate or key fails. `ERR_PKCS11_DEVICE` of the hardware that signs becomes `signer.pkcs11_device`; no cause,
 * as it is anybody's.
 */
export function signerFailure(error: unknown): BrokerError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const known = error instanceof AzureCredentialError || /^ERR_(?:PKCS11|TPM|HMAC)_[A-Z0-9_]{1,40}$/.test(code)
  return new BrokerError('signer_unavailable', known ? `signer.${code.slice(4).toLowerCase()}` : 'signer.credential')
}

/** Whether the same may be asked once more, at once. Tokens that nobody got do no harm. */
export const isWorthAnotherTry = ({ code, reason }: BrokerError): boolean =>
  reason === 'upstream.connect' || (code === 'upstream_unavailable' && reason !== 'upstream.throttled')

const unavailable = (reason: string, facts: Readonly<Record<string, string | number>>): BrokerError =>
  new BrokerError('upstream_unavailable', reason, { facts, retryAfterSeconds: DEFAULT_RETRY_AFTER_SECONDS })

/** Numbers and GUIDs, which is what an operator looks up; never the description. */
function errorFacts(error: JsonObject, { requestId }: EntraAnswer): Record<string, string | number> {
  const [aadsts] = Array.isArray(error.error_codes) ? error.error_codes : []
  const request = guidOf(error.trace_id) ?? requestId
  const correlation = guidOf(error.correlation_id)
  return {
    ...(isAadsts(aadsts) ? { aadsts } : {}),
    ...(request === undefined ? {} : { azure_request_id: request }),
    ...(correlation === undefined ? {} : { azure_correlation_id: correlation }),
  }
}

const isAadsts = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= MAX_AADSTS
