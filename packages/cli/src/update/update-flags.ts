import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { CliError, usageError } from '../cli-error.ts'
import { flag, type GivenOf, help, parseFlags, text } from '../internal/flags.ts'
import { type ConfiguredSource, helpFor, wordsOf } from '../sources/configured-source.ts'
import { SOURCES } from '../sources/index.ts'
import type { AwsSource, AzureSource, Flags } from '../sources/source.ts'

const COMMON = { once: flag, 'credentials-file': text, 'keep-mode': flag, 'log-level': text, help } as const

const AWS_SOURCES = Object.keys(SOURCES).filter((it) => it !== 'azure-ekm')

/** Flags of `hardbound update` beside those of a source. */
export const UPDATE_OPTIONS = { profile: text, ...COMMON } as const

/** `hardbound update --help` */
export const UPDATE_HELP = `Usage: hardbound update <source> [options of the source] [options]
       hardbound update -c <file> [options]

Keeps a profile of the shared credentials file current, for programs that read ~/.aws/credentials and nothing else. Only the three keys
of that profile change; everything else in the file stays as it is, octet for octet. hardbound serve leaves no keys on the disk: prefer it.

Sources: ${AWS_SOURCES.join(', ')}. Their options are those of hardbound aws <source>.
  -c, --config <file>    several at once, in YAML as of hardbound serve: each source is written to the profile of its name

Options
  --profile <name>       section of the file (default: default)
  --credentials-file <file>  (default: AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/credentials)
  --once                 write once, and end
  --keep-mode            leave the mode of the file as it is. Without it, others can read it no more
  --log-level <level>    debug, info, warn or error (default: info). Logs are JSON lines on stderr
  -h, --help             show this

Example:
  $ hardbound update roles-anywhere --certificate client.pem --private-key client.key --trust-anchor-arn arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45 --profile-arn arn:aws:rolesanywhere:eu-west-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45 --role-arn arn:aws:iam::111122223333:role/reader --profile reader

Runs until SIGTERM or SIGINT; while nothing new is to be had, the file keeps what it has. With --once, failure is exit code 1.
Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`

/** What was asked of `hardbound update`. */
export interface UpdateRequest {
  /** What to print and be done with. */
  readonly help: string | undefined
  readonly once: boolean
  readonly tighten: boolean
  readonly logLevel: string | undefined
  /** Reads the file of sources, where there is one. The name of each is that of its profile. */
  readonly targets: () => Promise<{ readonly file: string; readonly sources: readonly ConfiguredSource[] }>
}

/**
 * What the words after `hardbound update` mean.
 *
 * @throws {CliError}
 */
export function parseUpdate(args: string[], env: Readonly<NodeJS.ProcessEnv> = process.env): UpdateRequest {
  if (args.some((it) => it === '-h' || it === '--help')) {
    const targets = () => Promise.reject(new Error())
    return { help: helpFor(UPDATE_HELP, args), once: false, tighten: true, logLevel: undefined, targets }
  }
  const words = wordsOf(args, AWS_SOURCES)
  if ('config' in words) {
    const flags = parseFlags(words.rest, COMMON)
    return {
      ...requestOf(flags),
      targets: async () => {
        const { readSourcesConfig } = await import('../sources/read-config.ts')
        const { sources, credentialsFile } = await readSourcesConfig(words.config)
        const ours = sources.filter(({ source }) => source.cloud === 'aws')
        if (ours.length === 0) throw new CliError('sources: there is none of AWS')
        return { file: fileOf(flags, env, credentialsFile), sources: ours }
      },
    }
  }
  const source: AwsSource | AzureSource = SOURCES[words.name]
  if (source.cloud === 'azure') throw usageError('tokens of Azure have no such file: see hardbound serve')
  const given = parseFlags(words.rest, { ...source.options, ...UPDATE_OPTIONS })
  const flags = given as GivenOf<typeof UPDATE_OPTIONS>
  const own = Object.entries(given as Flags).filter(([name]) => !Object.hasOwn(UPDATE_OPTIONS, name))
  const sources = [{ name: flags.profile ?? 'default', source, flags: Object.fromEntries(own) }]
  return { ...requestOf(flags), targets: () => Promise.resolve({ file: fileOf(flags, env), sources }) }
}

const requestOf = (flags: GivenOf<typeof COMMON>) => ({
  help: undefined,
  once: flags.once === true,
  tighten: flags['keep-mode'] !== true,
  logLevel: flags['log-level'],
})

function fileOf(flags: GivenOf<typeof COMMON>, env: Readonly<NodeJS.ProcessEnv>, configured?: string): string {
  const file = flags['credentials-file'] ?? configured ?? env.AWS_SHARED_CREDENTIALS_FILE
  return file === undefined || file === ''
    ? join(homedir(), '.aws', 'credentials')
    : resolve(file.replace(/^~(?=\/)/, homedir()))
}
