import type { CredentialRequest, Grant, PolicyInput } from '../types.ts'
import type { Condition } from './condition.ts'

/** The `grant` of one rule, ready to be worked out. One implementation per target. */
export interface GrantPlan {
  readonly target: CredentialRequest['target']
  /** Whether the request is one that this grant may answer. */
  readonly conditions: readonly Condition[]
  /** What the request may mean here: for AWS, roles; for Azure, applications. One is granted, more are ambiguous. */
  choices(request: CredentialRequest): readonly string[]
  /**
   * Works the grant out for one of the choices. Fields come in one order always, so that equal grants have equal JSON.
   *
   * @returns `undefined` where a template can't be filled.
   */
  grant(choice: string, input: PolicyInput): Grant | undefined
}
