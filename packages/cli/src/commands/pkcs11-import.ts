import { Command } from 'commander'
import type { Pkcs11ImportOptions } from '../internal/import-into-token.ts'
import { several } from '../internal/several.ts'

/** `hardbound pkcs11 import`: an AWS secret goes into a token, and does not come out again. */
export function pkcs11ImportCommand(): Command {
  return new Command('import')
    .description('put an AWS secret access key into a PKCS #11 token, for hardbound aws pkcs11')
    .requiredOption('--uri <uri>', 'PKCS #11 URI of the token, with the object (and id) that the key is to get')
    .option(
      '--secret <source>',
      'prompt, stdin, file:/path (mode 0600), fd:N or env:NAME (default: stdin if it is no terminal)',
    )
    .option('--pin <source>', "the user's PIN, as --secret (default: what the URI's pin-source names)")
    .option('--keypad', 'the token asks for the PIN at its own keypad')
    .option('--retry-pin', 'try the PIN although a wrong one was given to the token before')
    .option('--key-type <type>', 'generic-secret, or sha256-hmac, which some tokens want', 'generic-secret')
    .option(
      '--allow-module <path>',
      'load modules from this folder too, or this file; may be given several times',
      several,
    )
    .option('--any-secret', 'take a secret that does not look like one of AWS')
    .option('--access-key-id <id>', 'for the line that is printed')
    .option('--region <region>', 'for the line that is printed')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Give the bare secret: AWS4 is put before it. It is read from a pipe or asked for, never an argument. The key can sign and nothing else, and
can't be taken out. It is tried before this says that it is there. Then remove the secret everywhere else; AWS shows it only once.

Examples:
  $ hardbound pkcs11 import --uri 'pkcs11:token=hsm;object=aws?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/hardbound/pin'
  $ pass aws/secret | hardbound pkcs11 import --uri 'pkcs11:token=hsm;object=aws' --pin prompt`,
    )
    .action(async (options: Pkcs11ImportOptions) => {
      const { importIntoToken } = await import('../internal/import-into-token.ts')
      await importIntoToken(options)
    })
}
