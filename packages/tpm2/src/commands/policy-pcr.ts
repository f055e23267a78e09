import { concat, EMPTY, sized } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import { encodePcrSelection, type PcrSelection } from '../pcr-selection.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'

/** Which PCRs must have which values. */
export interface PolicyPcrInit {
  readonly session: Session
  readonly selections: readonly PcrSelection[]
  /** Digest of the values that they must have now. Default: whatever they have. */
  readonly pcrDigest?: Uint8Array
}

/**
 * Puts the present values of PCRs into the session's policy.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RC` with TPM_RC_VALUE when `pcrDigest` is not that of the values.
 * @see TPM 2.0 Part 3 §23.7, TPM2_PolicyPCR
 */
export async function policyPcr(tpm: Tpm, init: PolicyPcrInit, options?: CallOptions): Promise<void> {
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_PolicyPCR',
      handles: [init.session.handle],
      parameters: concat(sized(init.pcrDigest ?? EMPTY), encodePcrSelection(init.selections)),
    },
    options,
  )
  new Reader(parameters, 'TPM2_PolicyPCR').end()
}
