import { Command, Option } from 'commander'
import { IDENTITY_HELP, IDENTITY_OPTIONS } from '../internal/identity-flags.ts'
import { several } from '../internal/several.ts'

/** `hardbound cert sign-test`: whether a key works, before anything is asked of AWS. */
export function certSignTestCommand(): Command {
  const command = new Command('sign-test')
    .description('sign a fixed message with the key of an X.509 identity, to see whether it works')
    .option('--format <format>', 'json, text or bin; none ends with a line feed', 'json')
    .option('--digest <digest>', 'sha256, sha384 or sha512; ML-DSA has its own', 'sha256')
  for (const [name, option] of Object.entries(IDENTITY_OPTIONS)) command.addOption(identityOption(name, option))
  return command
    .addHelpText(
      'after',
      `
${IDENTITY_HELP}
What is signed, and how it comes out, is as aws_signing_helper sign-string has it. Certificate and key are held against each other first.

Examples:
  $ hardbound cert sign-test --certificate client.pem --private-key client.key
  $ hardbound cert sign-test --certificate client.pem --private-key handle:0x81000101 --tpm /dev/tpmrm0 --format bin`,
    )
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const { signTest } = await import('../internal/sign-test.ts')
      await signTest(options)
    })
}

/** The help has them in a text of its own, by what they are about. */
function identityOption(name: string, { type, multiple }: { type: string; multiple?: boolean }): Option {
  const option = new Option(type === 'boolean' ? `--${name}` : `--${name} <value>`).hideHelp()
  return multiple === true ? option.argParser(several) : option
}
