import { Command } from 'commander'
import type { Pkcs11ListOptions } from '../internal/list-token-keys.ts'
import { several } from '../internal/several.ts'

/** `hardbound pkcs11 list`: what is there, and of what use it is. */
export function pkcs11ListCommand(): Command {
  return new Command('list')
    .description('list PKCS #11 tokens, and with a PIN the HMAC keys of one')
    .option('--uri <uri>', 'only tokens that match, of the module that it names (default: all that p11-kit knows)')
    .option('--pin <source>', "the user's PIN: prompt, stdin, file:/path (mode 0600), fd:N or env:NAME")
    .option('--keypad', 'the token asks for the PIN at its own keypad')
    .option('--retry-pin', 'try the PIN although a wrong one was given to the token before')
    .option(
      '--allow-module <path>',
      'load modules from this folder too, or this file; may be given several times',
      several,
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Without a PIN (--pin, --keypad, or a pin-source in the URI) it logs in nowhere. With one, the URI must match one token.

Examples:
  $ hardbound pkcs11 list
  $ hardbound pkcs11 list --uri 'pkcs11:?module-path=/usr/lib/softhsm/libsofthsm2.so'
  $ hardbound pkcs11 list --uri 'pkcs11:token=hsm' --pin prompt --json`,
    )
    .action(async (options: Pkcs11ListOptions) => {
      const { listTokenKeys } = await import('../internal/list-token-keys.ts')
      await listTokenKeys(options)
    })
}
