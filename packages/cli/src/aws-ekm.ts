import { EkmCredentialError, fromEkm } from '@hardbound/aws-ekm-credential'
import { AWS_EKM_HELP } from './aws-ekm-help.ts'
import { CliError, usageError } from './cli-error.ts'
import { type EkmFlags, ekmInitOf, parseEkmFlags } from './internal/ekm-flags.ts'

// `hardbound aws ekm`, a credential_process. AWS tools start it often and wait for it: this becomes one small file, without
// the libraries of the other commands.

async function main(args: string[]): Promise<void> {
  process.removeAllListeners('warning') // stderr is for the reason of a failure
  process.exitCode = 1 // until there is something to show: ending in silence must not look like success
  process.stdout.on('error', () => fail(1, 'whoever started this does not read its output'))
  try {
    const flags = parseEkmFlags(args)
    process.stdout.write(flags.help === true ? AWS_EKM_HELP : await credentials(flags))
    process.exitCode = 0
  } catch (error) {
    if (error instanceof EkmCredentialError) return fail(1, `${error.message} [${error.code}]`)
    if (!(error instanceof CliError)) return fail(1, 'internal error') // its message may quote what it was given
    fail(error.exitCode, error.exitCode === 2 ? `${error.message}; see hardbound aws ekm --help` : error.message)
  }
}

/** The one line that AWS tools read. */
async function credentials(flags: EkmFlags): Promise<string> {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provider(flags)()
  const output = {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration?.toISOString(),
  }
  return `${JSON.stringify(output)}\n`
}

/** One line on stderr. AWS tools may log it. */
function fail(exitCode: number, message: string): void {
  process.exitCode = exitCode
  process.stderr.write(`hardbound aws ekm: ${message.replace(/\p{Cc}+/gu, ' ')}\n`)
}

/** Says in the words of flags which option can't be right. */
function provider(flags: EkmFlags): ReturnType<typeof fromEkm> {
  try {
    return fromEkm(ekmInitOf(flags))
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause
    throw usageError(cause.message.replace(/"(\w+)"/g, (_, option: string) => flagOf(option)))
  }
}

/** Options that their flags are not simply called like. */
const FLAGS: Readonly<Record<string, string>> = {
  url: '--broker',
  spkiPins: '--pin',
  serverName: '--sni',
  durationSeconds: '--duration',
  timeoutMs: '--timeout',
}

const flagOf = (option: string): string =>
  FLAGS[option] ?? `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

void main(process.argv.slice(4)) // last: what it needs is defined above
