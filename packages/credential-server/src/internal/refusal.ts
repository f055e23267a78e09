import type { RefusalReason } from '../types.ts'

export interface RefusalOptions {
  retryAfterSeconds?: number
  /** The wire's own word for it; each route has a default. */
  error?: string
  /** `ERR_…` code of the error behind it. */
  code?: string
  headers?: Record<string, string>
}

/** A "no" to a client. The message goes over the wire, so it is fixed text: nothing of the request, nothing secret. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly reason: RefusalReason
  readonly options: RefusalOptions

  constructor(status: number, reason: RefusalReason, message: string, options: RefusalOptions = {}) {
    super(message)
    this.status = status
    this.reason = reason
    this.options = options
  }
}
