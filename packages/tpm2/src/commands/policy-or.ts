import { concat, sized, u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'
import { assertBranches } from '../trial-policy.ts'

/** Which policies will do. */
export interface PolicyOrInit {
  readonly session: Session
  /** 2 to 8 digests; the session's own must be among them. */
  readonly branches: readonly Uint8Array[]
}

/**
 * Makes the session's policy one of several.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RC` with TPM_RC_VALUE when the session is on none of the branches.
 * @throws {RangeError} on another number of branches.
 * @see TPM 2.0 Part 3 §23.6, TPM2_PolicyOR
 */
export async function policyOr(tpm: Tpm, { session, branches }: PolicyOrInit, options?: CallOptions): Promise<void> {
  assertBranches(branches)
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_PolicyOR',
      handles: [session.handle],
      parameters: concat(u32(branches.length), ...branches.map(sized)),
    },
    options,
  )
  new Reader(parameters, 'TPM2_PolicyOR').end()
}
