import { u16 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Tpm } from '../tpm.ts'

/**
 * Starts a TPM that was powered on, with fresh PCRs (TPM_SU_CLEAR). The firmware of a real machine has done so;
 * {@link openTpm} does it where nobody has.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RC` with TPM_RC_INITIALIZE when it was started already.
 * @see TPM 2.0 Part 3 §9.3, TPM2_Startup
 */
export async function startup(tpm: Tpm, options?: CallOptions): Promise<void> {
  const { parameters } = await tpm.execute({ command: 'TPM2_Startup', handles: [], parameters: u16(0) }, options)
  new Reader(parameters, 'TPM2_Startup').end()
}
