import { EkmTlsError, type EkmTlsErrorCode } from '@hardbound/ekm-tls'
import { BrokerClientError, type BrokerClientErrorCode } from '@hardbound/ekm-tls/client'
import { EkmCredentialError, type EkmCredentialErrorCode } from '../errors.ts'

const OF_BROKER: Record<BrokerClientErrorCode, EkmCredentialErrorCode> = {
  ERR_ATTESTATION_UNAVAILABLE: 'ERR_EKM_NOT_ATTESTABLE',
  ERR_ATTESTATION_SOCKET: 'ERR_EKM_ATTESTATION_FAILED',
  ERR_ATTESTATION_REFUSED: 'ERR_EKM_ATTESTATION_FAILED',
  ERR_BROKER_REFUSED: 'ERR_EKM_BROKER_REFUSED',
  ERR_BROKER_RESPONSE: 'ERR_EKM_RESPONSE',
}

const OF_TLS: Record<EkmTlsErrorCode, EkmCredentialErrorCode> = {
  ERR_EKM_UNREACHABLE: 'ERR_EKM_BROKER_UNREACHABLE',
  ERR_EKM_PROXY: 'ERR_EKM_BROKER_UNREACHABLE',
  ERR_EKM_CLOSED: 'ERR_EKM_BROKER_UNREACHABLE',
  ERR_EKM_TIMEOUT: 'ERR_EKM_TIMEOUT',
  ERR_EKM_ABORTED: 'ERR_EKM_TIMEOUT',
  ERR_EKM_UNTRUSTED: 'ERR_EKM_BROKER_UNTRUSTED',
  ERR_EKM_TLS: 'ERR_EKM_BROKER_UNTRUSTED',
  ERR_EKM_PROTOCOL_VERSION: 'ERR_EKM_BROKER_UNTRUSTED',
  ERR_EKM_RESUMED: 'ERR_EKM_BROKER_UNTRUSTED',
  ERR_EKM_ALPN: 'ERR_EKM_BROKER_UNTRUSTED',
  ERR_EKM_NOT_ESTABLISHED: 'ERR_EKM_BROKER_UNTRUSTED',
  ERR_EKM_RESPONSE: 'ERR_EKM_RESPONSE',
}

/** One error for whatever went wrong; the message adds what to look at, the cause stays attached. */
export function asCredentialError(
  cause: unknown,
  { broker, roleArn }: { broker: string; roleArn: string | undefined },
): EkmCredentialError {
  if (cause instanceof EkmCredentialError) return cause
  const wanted = roleArn ?? 'the role of this workload'
  const code = codeOf(cause)
  const why = cause instanceof EkmTlsError || cause instanceof BrokerClientError ? `: ${cause.message}` : ''
  return new EkmCredentialError(code, `no credentials for ${wanted} from ${broker}${why}${hint(cause)}`, { cause })
}

function codeOf(cause: unknown): EkmCredentialErrorCode {
  if (cause instanceof Error && cause.name === 'AbortError') return 'ERR_EKM_TIMEOUT' // between two tries
  if (cause instanceof BrokerClientError) {
    const busy = cause.refusal?.status === 429 || cause.refusal?.status === 503
    return busy ? 'ERR_EKM_BROKER_UNREACHABLE' : OF_BROKER[cause.code]
  }
  return cause instanceof EkmTlsError ? OF_TLS[cause.code] : 'ERR_EKM_RESPONSE'
}

function hint(cause: unknown): string {
  switch (cause instanceof BrokerClientError ? cause.refusal?.code : undefined) {
    case 'binding_mismatch':
      return ' (something between here and the broker ends TLS, or a client certificate was given that the broker did not ask for)'
    case 'policy_denied':
      return " (the broker's audit log has the reason under this request id)"
    default:
      return ''
  }
}
