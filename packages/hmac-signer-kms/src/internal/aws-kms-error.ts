import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'
import { isCertificateCode } from './checks.ts'

/** AWS's names, https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html and CommonErrors.html */
const CODES: Readonly<Record<string, HmacBackendErrorCode>> = {
  AccessDeniedException: 'ERR_HMAC_DENIED',
  UnrecognizedClientException: 'ERR_HMAC_DENIED',
  InvalidSignatureException: 'ERR_HMAC_DENIED',
  IncompleteSignatureException: 'ERR_HMAC_DENIED',
  MissingAuthenticationTokenException: 'ERR_HMAC_DENIED',
  ExpiredTokenException: 'ERR_HMAC_DENIED',
  InvalidClientTokenId: 'ERR_HMAC_DENIED',
  OptInRequired: 'ERR_HMAC_DENIED',
  CredentialsProviderError: 'ERR_HMAC_DENIED',
  DisabledException: 'ERR_HMAC_KEY',
  KMSInvalidStateException: 'ERR_HMAC_KEY', // pending deletion or import
  NotFoundException: 'ERR_HMAC_KEY',
  IncorrectKeyException: 'ERR_HMAC_KEY',
  InvalidKeyUsageException: 'ERR_HMAC_KEY',
  InvalidCiphertextException: 'ERR_HMAC_KEY', // another context, or octets changed
  ValidationException: 'ERR_HMAC_KEY',
  AbortError: 'ERR_HMAC_TIMEOUT',
  SyntaxError: 'ERR_HMAC_RESPONSE', // not JSON
}

/** Nothing of the SDK's error is passed on but names: it holds the request and the answer. */
export function awsKmsError(cause: unknown, keyId: string): HmacBackendError {
  if (cause instanceof HmacBackendError) return cause
  const {
    name = 'Error',
    code,
    $metadata,
  } = (cause ?? {}) as Readonly<Record<string, unknown>> & {
    $metadata?: { httpStatusCode?: number; requestId?: string }
  }
  const label = [name, code].filter((it): it is string => typeof it === 'string' && /^\w{1,64}$/.test(it)).join(' ')
  const request =
    $metadata?.requestId !== undefined && /^[\w-]{1,64}$/.test($metadata.requestId)
      ? `, request ${$metadata.requestId}`
      : ''
  if (typeof code === 'string' && isCertificateCode(code))
    return new HmacBackendError('ERR_HMAC_UNTRUSTED', `kms: ${keyId}: the certificate (${label})`)
  // Throttling, failures inside the service, and everything of the network.
  const status = $metadata?.httpStatusCode ?? 0
  const fallback =
    status >= 400 && status < 500 && !/Throttl|LimitExceeded/.test(label) ? 'ERR_HMAC_RESPONSE' : 'ERR_HMAC_UNAVAILABLE'
  return new HmacBackendError(CODES[String(name)] ?? fallback, `kms: ${keyId}: ${label}${request}`)
}
