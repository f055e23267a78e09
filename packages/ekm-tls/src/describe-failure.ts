import { BrokerClientError, type BrokerClientErrorCode, type BrokerRefusal } from './client-errors.ts'
import { EkmTlsError, type EkmTlsErrorCode } from './errors.ts'

/** Why a workload has no credentials, in the words of all credential packages. */
export type EkmFailureCode =
  | 'ERR_EKM_NOT_ATTESTABLE' // no launcher on this machine: the next provider may try
  | 'ERR_EKM_ATTESTATION_FAILED' // the launcher is there, and gave no token
  | 'ERR_EKM_BROKER_UNREACHABLE' // nobody there, or overloaded: the next provider may try
  | 'ERR_EKM_BROKER_UNTRUSTED' // somebody is there, but not the broker that was pinned
  | 'ERR_EKM_BROKER_REFUSED' // it said no: stop
  | 'ERR_EKM_RESPONSE' // its answer is not what the protocol says
  | 'ERR_EKM_TIMEOUT' // the whole took too long

/** One failure, for the error of a credential package. */
export interface EkmFailure {
  readonly code: EkmFailureCode
  /** To follow "no credentials for … from …": why, and where to look. Empty where nothing may be said. */
  readonly why: string
  /** The broker's answer, where it said no. */
  readonly refusal: BrokerRefusal | undefined
  /** Nobody is there, or has time: another provider of credentials may try. */
  readonly tryNext: boolean
}

/** Says what whatever `requestCredentials` or `retrying` threw means to the caller. Errors that are not ours are not quoted. */
export function describeFailure(cause: unknown): EkmFailure {
  const refusal = cause instanceof BrokerClientError ? cause.refusal : undefined
  const known = cause instanceof EkmTlsError || cause instanceof BrokerClientError
  const code = codeOf(cause)
  return {
    code,
    why: `${known ? `: ${cause.message}` : ''}${hint(refusal?.code)}`,
    refusal,
    tryNext: TRY_NEXT.has(code),
  }
}

const TRY_NEXT: ReadonlySet<EkmFailureCode> = new Set(['ERR_EKM_NOT_ATTESTABLE', 'ERR_EKM_BROKER_UNREACHABLE'])

const OF_BROKER: Record<BrokerClientErrorCode, EkmFailureCode> = {
  ERR_ATTESTATION_UNAVAILABLE: 'ERR_EKM_NOT_ATTESTABLE',
  ERR_ATTESTATION_SOCKET: 'ERR_EKM_ATTESTATION_FAILED',
  ERR_ATTESTATION_REFUSED: 'ERR_EKM_ATTESTATION_FAILED',
  ERR_BROKER_REFUSED: 'ERR_EKM_BROKER_REFUSED',
  ERR_BROKER_RESPONSE: 'ERR_EKM_RESPONSE',
}
const OF_TLS: Record<EkmTlsErrorCode, EkmFailureCode> = {
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
function codeOf(cause: unknown): EkmFailureCode {
  if (cause instanceof Error && cause.name === 'AbortError') return 'ERR_EKM_TIMEOUT' // between two tries
  if (cause instanceof BrokerClientError) {
    const busy = cause.refusal?.status === 429 || cause.refusal?.status === 503
    return busy ? 'ERR_EKM_BROKER_UNREACHABLE' : OF_BROKER[cause.code]
  }
  return cause instanceof EkmTlsError ? OF_TLS[cause.code] : 'ERR_EKM_RESPONSE'
}

function hint(brokerCode: string | undefined): string {
  switch (brokerCode) {
    case 'binding_mismatch':
      return ' (something between here and the broker ends TLS, or a client certificate was given that the broker did not ask for)'
    case 'policy_denied':
      return " (the broker's audit log has the reason under this request id)"
    default:
      return ''
  }
}
