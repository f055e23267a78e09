import { Command } from 'commander'
import type { CertReadOptions } from '../internal/read-certificates.ts'
import { several } from '../internal/several.ts'

/** `hardbound cert read`: what certificates say, and what selectors find. */
export function certReadCommand(): Command {
  return new Command('read')
    .description('show certificates as IAM Roles Anywhere and its selectors see them')
    .argument(
      '<place>',
      'a PEM file, of which the first certificate counts; or a store: pkcs11:…, folder:/path, p12:/path, system',
    )
    .option('--selector <selector>', 'of a store: Key=x509SubjectCN,Value=client Key=…,Value=…, or file:///path.json')
    .option('--p12-password <source>', 'prompt, stdin, file:/path (mode 0600), fd:N or env:NAME')
    .option('--pin <source>', 'the same, for tokens that show certificates to none but their user')
    .option('--keypad', 'the token asks for the PIN at its own keypad')
    .option('--retry-pin', 'try the PIN although a wrong one was given to the token before')
    .option(
      '--allow-module <path>',
      'load modules from this folder too, or this file; may be given several times',
      several,
    )
    .option('--json', 'JSON: of a file the one line of aws_signing_helper read-certificate-data, of a store an array')
    .addHelpText(
      'after',
      `
Examples:
  $ hardbound cert read /etc/pki/client.pem --json
  $ hardbound cert read 'pkcs11:token=hsm?module-path=/usr/lib/softhsm/libsofthsm2.so'
  $ hardbound cert read folder:/etc/pki --selector Key=x509IssuerCN,Value=Example`,
    )
    .action(async (place: string, options: CertReadOptions) => {
      const { readCertificates } = await import('../internal/read-certificates.ts')
      await readCertificates(place, options)
    })
}
