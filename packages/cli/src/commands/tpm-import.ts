import { Command } from 'commander'
import type { TpmImportOptions } from '../internal/import-into-tpm.ts'

/** `hardbound tpm import`: an AWS secret goes into a TPM, and does not come out again. */
export function tpmImportCommand(): Command {
  return new Command('import')
    .description('put an AWS secret access key into a TPM, for hardbound aws tpm')
    .requiredOption('--tpm <address>', '/dev/tpmrm0, or unix:/path of a swtpm')
    .option(
      '--secret <source>',
      'prompt, stdin, file:/path (mode 0600), fd:N or env:NAME (default: stdin if it is no terminal)',
    )
    .option('--handle <handle>', 'keep the key in the TPM, at 0x81000000 to 0x817fffff')
    .option('--out <file>', 'write the key to this file, which only this TPM can use')
    .option('--key-auth <source>', 'password that the key gets: as --secret')
    .option('--pcrs <list>', 'bind the key to the present values of PCRs, such as sha256:0,7')
    .option('--parent <handle>', "persistent parent (default: the owner's H-2 primary, made each time)")
    .option('--use-ek-parent', 'parent is the endorsement key, RSA')
    .option('--ek-parent <kind>', 'the same: rsa or ecc')
    .option('--parent-auth <source>', 'password of the parent, or of the hierarchy it is made in')
    .option('--owner-auth <source>', 'password of the owner, for --handle')
    .option('--session-encryption-name <hex>', 'encrypt what goes to the TPM; hardbound tpm name shows it')
    .option('--session-encryption-key <key>', 'ek-rsa, ek-ecc, srk-rsa, srk-ecc or a handle (default: ek-rsa)')
    .option('--no-da', "wrong passwords don't count towards the TPM's lockout")
    .option('--description <text>', 'into the key file')
    .option('--any-secret', 'take a secret that does not look like one of AWS')
    .option('--access-key-id <id>', 'for the line that is printed')
    .option('--region <region>', 'for the line that is printed')
    .option('--tpm-timeout <seconds>', 'for everything together (default: 60)')
    .option('--dangerously-allow-tcp', 'take a TCP address, for tests')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Give the bare secret: AWS4 is put before it. It is read from a pipe or asked for, never an argument. The key is tried before this says
that it is there. Then remove the secret everywhere else; AWS shows it only once.

Without --session-encryption-name the secret goes to the TPM in clear, which is right for a TPM within the CPU, not for a chip on the board.

Examples:
  $ hardbound tpm import --tpm /dev/tpmrm0 --out aws.pem --key-auth file:/etc/hardbound/password
  $ pass aws/secret | hardbound tpm import --tpm /dev/tpmrm0 --handle 0x81010001 --pcrs sha256:0,7
  $ hardbound tpm import --tpm /dev/tpmrm0 --out aws.pem --session-encryption-key ek-ecc --session-encryption-name 000b…`,
    )
    .action(async (options: TpmImportOptions, command: Command) => {
      const { importIntoTpm } = await import('../internal/import-into-tpm.ts')
      await importIntoTpm(options, command.opts())
    })
}
