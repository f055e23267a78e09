import { concat, sized, u8 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'

/** Where an object may be duplicated to. */
export interface PolicyDuplicationSelectInit {
  readonly session: Session
  readonly newParentName: Uint8Array
  /** The object that is duplicated. */
  readonly objectName: Uint8Array
  /** Whether the policy is for this object only. Default: `false`. */
  readonly includeObject?: boolean
}

/**
 * Limits the session's policy to duplicating to one new parent.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §23.15, TPM2_PolicyDuplicationSelect
 */
export async function policyDuplicationSelect(
  tpm: Tpm,
  init: PolicyDuplicationSelectInit,
  options?: CallOptions,
): Promise<void> {
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_PolicyDuplicationSelect',
      handles: [init.session.handle],
      parameters: concat(sized(init.objectName), sized(init.newParentName), u8(init.includeObject === true ? 1 : 0)),
    },
    options,
  )
  new Reader(parameters, 'TPM2_PolicyDuplicationSelect').end()
}
