import { Command } from 'commander'
import { given } from '../internal/flags.ts'
import { print, printJson } from '../output.ts'

interface Options {
  readonly tpm: string
  readonly key?: string
  readonly dangerouslyAllowTcp?: boolean
  readonly json?: boolean
}

/** `hardbound tpm name`: what to pin sessions to. */
export function tpmNameCommand(): Command {
  return new Command('name')
    .description("show the name of a TPM's own key, for --session-encryption-name")
    .requiredOption('--tpm <address>', '/dev/tpmrm0, or unix:/path of a swtpm')
    .option('--key <key>', 'ek-rsa, ek-ecc, srk-rsa, srk-ecc or a persistent handle (default: ek-rsa)')
    .option('--dangerously-allow-tcp', 'take a TCP address, for tests')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Run it once, where nobody can sit between this machine and its TPM, and keep the name in your configuration. Asking anew each time would
have whoever sits between name himself.

Example:
  $ hardbound tpm name --tpm /dev/tpmrm0 --key ek-ecc`,
    )
    .action(showName)
}

async function showName(options: Options): Promise<void> {
  const [{ readTpmKeyName }, { saltKeyOf, tpmFailure, tpmOptionsOf }] = await Promise.all([
    import('@hardbound/hmac-signer-tpm'),
    import('../internal/tpm-flags.ts'),
  ])
  const { tpm, dangerouslyAllowTcp: tcp } = options
  const key = saltKeyOf('--key', options.key)
  const init = tpmOptionsOf({ tpm, ...given('dangerously-allow-tcp', tcp) })
  const name = await readTpmKeyName({ ...init, ...given('key', key) }).catch(tpmFailure)
  if (options.json === true) return printJson({ key: options.key ?? 'ek-rsa', name })
  print(name)
}
