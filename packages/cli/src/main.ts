import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { CliError } from './cli-error.ts'
import { auditVerifyCommand } from './commands/audit-verify.ts'
import { brokerCheckCommand } from './commands/broker-check.ts'
import { brokerRunCommand } from './commands/broker-run.ts'
import { cacheClearCommand } from './commands/cache-clear.ts'
import { certReadCommand } from './commands/cert-read.ts'
import { certSignTestCommand } from './commands/cert-sign-test.ts'
import { completionCommand } from './commands/completion.ts'
import { doctorCommand } from './commands/doctor.ts'
import { kmsWrapCommand } from './commands/kms-wrap.ts'
import { pkcs11ImportCommand } from './commands/pkcs11-import.ts'
import { pkcs11ListCommand } from './commands/pkcs11-list.ts'
import { policyTestCommand } from './commands/policy-test.ts'
import { serveCommand } from './commands/serve.ts'
import { tokenInspectCommand } from './commands/token-inspect.ts'
import { tpmImportCommand } from './commands/tpm-import.ts'
import { tpmNameCommand } from './commands/tpm-name.ts'
import { updateCommand } from './commands/update.ts'
import { note } from './output.ts'

const EXIT_CODES = '\nExit codes: 0 ok, 1 failed or denied, 2 used wrongly.'

/** The whole command line but `aws …` and `azure …`, which are bundles of their own and only listed here. */
function createProgram(): Command {
  const program = new Command('hardbound')
    .description('credentials bound to hardware')
    .version(version())
    .addHelpText('after', EXIT_CODES)
  program.commandsGroup('Credentials:')
  group(program, 'aws', 'credentials for AWS tools, as a credential_process', [
    new Command('ekm')
      .description('for an attested workload, by a broker; see hardbound aws ekm --help')
      .usage('--broker <url> --audience <audience> [options]'),
    new Command('roles-anywhere')
      .description('for an X.509 certificate, by IAM Roles Anywhere; see hardbound aws roles-anywhere --help')
      .usage('--trust-anchor-arn <arn> --profile-arn <arn> --role-arn <arn> <identity> [options]'),
    new Command('tpm')
      .description('by a key in a TPM; see hardbound aws tpm --help')
      .usage('--tpm <address> (--handle <handle> | --key <file>) [options]'),
    new Command('pkcs11')
      .description('by a key in a PKCS #11 token; see hardbound aws pkcs11 --help')
      .usage('--uri <uri> [options]'),
    new Command('kms')
      .description('by a key that a KMS or Vault guards; see hardbound aws kms --help')
      .usage('(--envelope <file> | --vault <url> | --tink-keyset <file> --kek <uri>) [options]'),
  ])
  group(program, 'azure', 'tokens for Azure', [
    new Command('ekm')
      .description('print an access token; see hardbound azure ekm --help')
      .usage('--broker <url> --audience <audience> --scope <scope> [options]'),
  ])
  program.addCommand(serveCommand())
  program.addCommand(updateCommand())
  group(program, 'cache', 'sessions on disk', [cacheClearCommand()])
  program.commandsGroup('Keys and certificates:')
  group(program, 'tpm', "keys in a machine's TPM", [tpmImportCommand(), tpmNameCommand()])
  group(program, 'pkcs11', 'keys in HSMs and other PKCS #11 tokens', [pkcs11ImportCommand(), pkcs11ListCommand()])
  group(program, 'kms', 'keys that a KMS wraps, or Vault holds', [kmsWrapCommand()])
  group(program, 'cert', 'X.509 identities', [certReadCommand(), certSignTestCommand()])
  program.commandsGroup('Broker:')
  group(program, 'broker', 'the service that turns attestations into credentials', [
    brokerRunCommand(),
    brokerCheckCommand(),
  ])
  group(program, 'policy', 'the rules of a broker', [policyTestCommand()])
  group(program, 'token', 'attestation tokens', [tokenInspectCommand()])
  group(program, 'audit', "a broker's audit log", [auditVerifyCommand()])
  program.commandsGroup('This machine:')
  program.addCommand(doctorCommand().addHelpText('after', EXIT_CODES))
  program.addCommand(completionCommand().addHelpText('after', EXIT_CODES))
  return program
}

function group(program: Command, name: string, description: string, commands: readonly Command[]): void {
  const parent = new Command(name).description(description)
  for (const command of commands) parent.addCommand(command.addHelpText('after', EXIT_CODES))
  program.addCommand(parent)
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}

/** Has commander throw where it would exit, in every command. */
function exitByThrowing(command: Command): void {
  command.exitOverride()
  command.commands.forEach(exitByThrowing)
}

/** Says what went wrong, and with which exit code to end. */
async function report(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2 // it has printed help or the mistake
  if (error instanceof CliError) {
    note(error.message)
    return error.exitCode
  }
  const { ConfigError } = await import('./internal/config-error.ts')
  if (error instanceof ConfigError) {
    for (const { path, problem } of error.problems) note(path === '' ? problem : `${path}: ${problem}`)
    note(`the configuration has ${error.message}`)
    return 1
  }
  // Not one of ours, so its message may quote what it was given.
  const { name = 'unknown', code = '' } = error as { name?: string; code?: string }
  note(`internal error: ${name} ${code}`.trimEnd())
  return 1
}

process.stdout.on('error', () => process.exit(1)) // whoever read it is gone
process.stderr.on('error', () => {}) // the exit code says it, too
const program = createProgram()
exitByThrowing(program)
try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = await report(error)
}
