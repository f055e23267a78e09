import { Command } from 'commander'
import { several } from '../internal/several.ts'
import type { KmsWrapOptions } from '../internal/wrap-for-kms.ts'

/** `hardbound kms wrap`: an AWS secret becomes a file that only a KMS can open, or goes into Vault. */
export function kmsWrapCommand(): Command {
  return new Command('wrap')
    .description('have a KMS wrap an AWS secret access key, or put it into Vault, for hardbound aws kms')
    .option('--key <name>', 'the key that wraps: ARN of AWS KMS, or projects/…/cryptoKeys/… of Google Cloud KMS')
    .option('--out <file>', 'the envelope to write; it is not overwritten')
    .option('--encryption-context <key=value>', 'AWS KMS: bind it to this; may be given several times', several)
    .option('--aad <text>', 'Google Cloud KMS: bind it to this')
    .option('--kms-profile <name>', 'profile of ~/.aws/config whose keys may use AWS KMS')
    .option('--kms-endpoint <url>', 'another endpoint of the KMS')
    .option('--kms-timeout <seconds>', 'for each call (default: 10)')
    .option('--vault <url>', 'a node of Vault, instead of --key; may be given several times', several)
    .option('--vault-key <name>', 'name that the transit key is to get')
    .option('--vault-auth <how>', 'token:file:/path, approle:<role id>:file:/path or kubernetes:<role>')
    .option('--vault-auth-mount <path>', 'where that method is mounted')
    .option('--vault-mount <path>', 'of the transit engine (default: transit)')
    .option('--vault-namespace <path>', 'of Vault Enterprise')
    .option('--vault-ca <file>', 'PEM of the authorities to trust')
    .option('--vault-wrapping-key-sha256 <hex>', "SHA-256 of Vault's wrapping key, learnt by another way (DER)")
    .option(
      '--secret <source>',
      'prompt, stdin, file:/path (mode 0600), fd:N or env:NAME (default: stdin if it is no terminal)',
    )
    .option('--any-secret', 'take a secret that does not look like one of AWS')
    .option('--access-key-id <id>', 'for the line that is printed')
    .option('--region <region>', 'for the line that is printed')
    .option('--dangerously-allow-http', 'take http:// on loopback, for tests')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Give the bare secret: AWS4 is put before it. It is read from a pipe or asked for, never an argument. What was wrapped is unwrapped
again and tried before this says that it is there. Then remove the secret everywhere else; AWS shows it only once.

The envelope holds nothing secret, but whoever may use the KMS key can open it: grant kms:Decrypt to as few as you can, with a
condition on the encryption context. Vault keeps the key itself: it is imported wrapped under Vault's own RSA key, not exportable.
A proxy that intercepts TLS could show an RSA key of its own: --vault-wrapping-key-sha256 refuses any but yours.

Examples:
  $ pass aws/secret | hardbound kms wrap --key arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab --encryption-context purpose=sigv4 --out aws.json
  $ hardbound kms wrap --key projects/example/locations/europe-west1/keyRings/aws/cryptoKeys/signer --out aws.json
  $ hardbound kms wrap --vault https://vault.example.com:8200 --vault-key aws --vault-auth token:env:VAULT_TOKEN`,
    )
    .action(async (options: KmsWrapOptions) => {
      const { wrapForKms } = await import('../internal/wrap-for-kms.ts')
      await wrapForKms(options)
    })
}
