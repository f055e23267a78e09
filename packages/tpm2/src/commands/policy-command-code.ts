import { COMMANDS, type CommandName } from '../internal/command-table.ts'
import { u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'

/**
 * Limits the session's policy to one command.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §23.11, TPM2_PolicyCommandCode
 */
export async function policyCommandCode(
  tpm: Tpm,
  { session, command }: { readonly session: Session; readonly command: CommandName },
  options?: CallOptions,
): Promise<void> {
  const { parameters } = await tpm.execute(
    { command: 'TPM2_PolicyCommandCode', handles: [session.handle], parameters: u32(COMMANDS[command].code) },
    options,
  )
  new Reader(parameters, 'TPM2_PolicyCommandCode').end()
}
