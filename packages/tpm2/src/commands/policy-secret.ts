import { HIERARCHIES, type Hierarchy } from '../handles.ts'
import { concat, EMPTY, sized, u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { Authorization, CallOptions, Session, Tpm } from '../tpm.ts'

/** Whose authorisation value must be known. */
export interface PolicySecretInit {
  readonly session: Session
  readonly hierarchy: Hierarchy
  /** Of the hierarchy. */
  readonly auth?: Authorization
  readonly policyRef?: Uint8Array
  readonly sessions?: readonly Session[]
}

/**
 * Puts into the session's policy that a hierarchy's authorisation value was shown: what the policy of endorsement keys
 * asks for.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §23.4, TPM2_PolicySecret
 */
export async function policySecret(tpm: Tpm, init: PolicySecretInit, options?: CallOptions): Promise<void> {
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_PolicySecret',
      handles: [HIERARCHIES[init.hierarchy], init.session.handle],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concat(
        sized(EMPTY), // nonceTPM: not tied to this session
        sized(EMPTY), // cpHashA: for any command
        sized(init.policyRef ?? EMPTY),
        u32(0), // expiration: never
      ),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_PolicySecret')
  reader.sized() // timeout
  reader.u16() // TPMT_TK_AUTH, which is empty without an expiration
  reader.u32()
  reader.sized(64)
  reader.end()
}
