import type { AssumeRoleCommandOutput } from '@aws-sdk/client-sts'
/** One `issue()` on its way through the SDK, which hands it to our HTTP handler as its request options. */
export interface StsCall {
  /** Name fixed by the SDK: ends retries and waits. */
  readonly abortSignal: AbortSignal
  readonly action: 'AssumeRole' | 'GetSessionToken'
  /** HTTP requests made, over all regions. */
  attempts: number
  /** Whether another region is left to try, so that a failed connection is not worth a retry here. */
  canFailOver: boolean
  /** From the last answer, where it had one. */
  retryAfterSeconds: number | undefined
  /** Gets a well-formed 200 answer that came after its attempt was given up. */
  readonly onLateAnswer: (text: string) => void
  /** Gets an answer that does not fit the grant. */
  readonly onRefusedAnswer: (answer: Pick<AssumeRoleCommandOutput, 'Credentials'>) => void
}

/** Why {@link StsCall.abortSignal} fired: `deadline` still waits for a late answer, `abandoned` doesn't. */
export type StsAbortReason = 'deadline' | 'abandoned'

/** No answer. */
export class StsTransportError extends Error {
  override readonly name = 'StsTransportError'
  /** `connect`: nothing was sent. The others may have had their effect upstream. */
  readonly kind: 'connect' | 'timeout' | 'reset'
  /** Read by the SDK's retry strategy: present means transient. */
  readonly $retryable: object | undefined

  constructor(kind: StsTransportError['kind'], retry: boolean) {
    super(`STS did not answer (${kind})`)
    this.kind = kind
    this.$retryable = retry ? {} : undefined
  }
}
