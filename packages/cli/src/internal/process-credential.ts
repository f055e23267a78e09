import { CliError } from '../cli-error.ts'

// What all `hardbound aws …` and `hardbound azure …` commands share. Each of them becomes one small file, without the libraries
// of the operators' commands: other tools start it often and wait for it.

/** Keys as a provider of the AWS SDK gives them. */
export interface ProcessCredential {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

/** One command that prints credentials. */
interface CredentialCommand<Flags extends { help?: boolean | undefined }, Credential> {
  /** `hardbound aws tpm` */
  readonly command: string
  readonly help: string
  /** @throws {CliError} with exit code 2; no message holds a value. */
  readonly parse: (args: string[]) => Flags
  /** @throws {CliError}, or an error with an `ERR_…` code whose message may be shown. */
  readonly provide: (flags: Flags) => Promise<Credential>
}

/** One `hardbound aws …` command. */
export type ProcessCredentialCommand<Flags extends { help?: boolean | undefined }> = CredentialCommand<
  Flags,
  ProcessCredential
>

/** Runs it on the words after `hardbound aws <name>`: a credential_process. */
export async function runProcessCredential<Flags extends { help?: boolean | undefined }>(
  command: ProcessCredentialCommand<Flags>,
  args: string[],
): Promise<void> {
  await runCredentialCommand(command, args, processOutputOf)
}

/** Runs a command: one line of JSON on stdout, or one line of why not on stderr. */
export async function runCredentialCommand<Flags extends { help?: boolean | undefined }, Credential>(
  { command, help, parse, provide }: CredentialCommand<Flags, Credential>,
  args: string[],
  outputOf: (credential: Credential) => object,
): Promise<void> {
  process.removeAllListeners('warning') // stderr is for the reason of a failure
  process.exitCode = 1 // until there is something to show: ending in silence must not look like success
  const fail = (exitCode: number, message: string): void => {
    process.exitCode = exitCode
    say(command, message)
  }
  process.stdout.on('error', () => fail(1, 'whoever started this does not read its output'))
  process.stderr.on('error', () => {}) // nobody hears warnings: no reason to keep credentials back
  try {
    const flags = parse(args)
    process.stdout.write(flags.help === true ? help : `${JSON.stringify(outputOf(await provide(flags)))}\n`)
    process.exitCode = 0
  } catch (error) {
    const isUsage = error instanceof CliError && error.exitCode === 2
    fail(
      error instanceof CliError ? error.exitCode : 1,
      `${messageOf(error)}${isUsage ? `; see ${command} --help` : ''}`,
    )
  }
}

/** What may be shown of an error. Those that are not ours may quote what they were given. */
export function messageOf(error: unknown): string {
  if (error instanceof CliError) return error.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return OURS.test(code) && error instanceof Error ? `${withCures(error.message)} [${code}]` : 'internal error'
}

/** What a library would have given to it, by the flag that gives it. */
export const withCures = (message: string): string =>
  CURES.reduce((text, [what, cure]) => text.replace(what, (words) => `${words} (${cure})`), message)

const CURES: readonly (readonly [RegExp, string])[] = [
  [/\ballow the try\b/, '--retry-pin'],
  [/\bwants a PIN, and none was given\b/, '--pin'],
  [/\bis encrypted, and no password was given\b/, '--key-password, --p12-password'],
  [/^can't listen on .*$/, '--listen'],
]

/** Writes one line on stderr, as AWS tools may log it. */
export function say(command: string, message: string): void {
  process.stderr.write(`${command}: ${message.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')}\n`)
}

const OURS = /^ERR_(EKM|HMAC|SIGV4|STS|RA|SERVER|CREDENTIALS_FILE|CACHE)_/

/** What AWS tools read. */
export function processOutputOf({ accessKeyId, secretAccessKey, sessionToken, expiration }: ProcessCredential): object {
  return {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration?.toISOString(),
  }
}
