import { usageError } from '../cli-error.ts'
import { flag, type GivenOf, help, parseFlags, text, texts } from '../internal/flags.ts'
import { helpFor, roleNameOf, type SourcesConfig, wordsOf } from '../sources/configured-source.ts'
import { SOURCES } from '../sources/index.ts'
import type { AwsSource, AzureSource, Flags } from '../sources/source.ts'

/** Flags of `hardbound serve` beside those of a source. */
export const SERVE_OPTIONS = {
  listen: text,
  'role-name': text,
  container: flag,
  'token-file': text,
  'environment-file': text,
  imds: flag,
  'allow-resource': texts,
  'allow-uid': texts,
  'dangerously-allow-any-user': flag,
  'log-level': text,
} as const

/** `hardbound serve --help` */
export const SERVE_HELP = `Usage: hardbound serve <source> [options of the source] [options]
       hardbound serve -c <file> [options]

Serves credentials to every program on this machine that knows AWS or Azure and nothing else, on the loopback: as the instance metadata
of EC2 (IMDSv2) does, as an ECS or EKS container has them, as Azure managed identity. New sessions are fetched before old ones end.

Sources: ${Object.keys(SOURCES).join(', ')}. Their options are those of hardbound aws <source>, and of hardbound azure ekm.
  -c, --config <file>    several at once, in YAML; below

Options
  --listen <address>     127.0.0.1:9911, which is the default, [::1]:<port>, or unix:/path; port 0 takes a free one
  --role-name <name>     what programs see (default: the last part of the role's ARN, or the name of the source)
  --container            serve the form of ECS and EKS, too, which a secret guards
  --token-file <file>    that secret goes there, mode 0600; with --container
  --environment-file <file>  the variables that lead programs here go there, mode 0600, while the server runs. It holds secrets
  --imds                 azure-ekm: serve the form of virtual machines, too
  --allow-resource <url> azure-ekm: serve this resource, and no other; may be given several times
  --allow-uid <uid>      answer this user, too; may be given several times. Without it: processes of this user (Linux)
  --dangerously-allow-any-user  answer whoever asks, where users can't be told apart
  --log-level <level>    debug, info, warn or error (default: info). Logs are JSON lines on stderr
  -h, --help             show this

Programs find it by AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9911, and must not have other keys in their environment. With an
environment file: set -a; . <file>; set +a; or EnvironmentFile= of systemd. Hop limits can't be set by Node; nothing but the loopback is served.

Example of a file; what a source is told has _ in place of -, paths start at the folder of the file:
  listen: 127.0.0.1:9911
  sources:
    reader:                # the first one is what IMDSv2 lists; the others need container
      roles_anywhere: { certificate: client.pem, private_key: client.key, trust_anchor_arn: …, profile_arn: …, role_arn: … }
    auditor:
      tpm: { tpm: /dev/tpmrm0, key: aws.pem, access_key_id: AKIAIOSFODNN7EXAMPLE, region: eu-west-1 }
      container: { token_file: /run/hardbound/auditor }
    blobs:
      azure_ekm: { broker: https://broker.example.com, audience: https://broker.example.com, ca: broker-ca.pem }
      environment_file: /run/hardbound/blobs.env

Examples:
  $ hardbound serve ekm --broker https://broker.example.com --audience https://broker.example.com --ca ca.pem
  $ hardbound serve -c /etc/hardbound/sources.yaml

Runs until SIGTERM or SIGINT, then lets requests under way finish. Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`

/** What was asked of `hardbound serve`. */
export interface ServeRequest {
  /** What to print and be done with. */
  readonly help: string | undefined
  readonly logLevel: string | undefined
  /** Reads the file, where there is one. */
  readonly config: () => Promise<SourcesConfig>
}

const COMMON = { listen: text, 'log-level': text, help } as const

/**
 * What the words after `hardbound serve` mean.
 *
 * @throws {CliError}
 */
export function parseServe(args: string[]): ServeRequest {
  if (args.some((it) => it === '-h' || it === '--help')) {
    return { help: helpFor(SERVE_HELP, args), logLevel: undefined, config: () => Promise.reject(new Error()) }
  }
  const words = wordsOf(args)
  if ('config' in words) {
    const flags = parseFlags(words.rest, COMMON)
    const config = async () => {
      const { readSourcesConfig } = await import('../sources/read-config.ts')
      const read = await readSourcesConfig(words.config)
      return flags.listen === undefined ? read : { ...read, listen: flags.listen }
    }
    return { help: undefined, logLevel: flags['log-level'], config }
  }
  const source: AwsSource | AzureSource = SOURCES[words.name]
  const given = parseFlags(words.rest, { ...source.options, ...SERVE_OPTIONS })
  const flags = given as GivenOf<typeof SERVE_OPTIONS>
  assertFit(source, flags)
  const config: SourcesConfig = {
    listen: flags.listen,
    allowUids: flags['allow-uid']?.map(uidOf),
    dangerouslyAllowAnyUser: flags['dangerously-allow-any-user'],
    sources: [
      {
        name: flags['role-name'] ?? roleNameOf(given) ?? source.name,
        source,
        flags: sourceFlags(given),
        container: flags.container === true ? tokenFileOf(flags['token-file']) : undefined,
        imds: source.cloud === 'azure' ? flags.imds : undefined,
        environmentFile: flags['environment-file'],
        allowedResources: flags['allow-resource'],
      },
    ],
  }
  return { help: undefined, logLevel: flags['log-level'], config: () => Promise.resolve(config) }
}

const AWS_ONLY = ['role-name', 'container', 'token-file'] as const
const AZURE_ONLY = ['imds', 'allow-resource'] as const

function assertFit({ cloud, name }: AwsSource | AzureSource, flags: GivenOf<typeof SERVE_OPTIONS>): void {
  const wrong = (cloud === 'aws' ? AZURE_ONLY : AWS_ONLY).find((it) => flags[it] !== undefined)
  if (wrong !== undefined) throw usageError(`--${wrong} does not go with ${name}`)
  if (flags['token-file'] !== undefined && flags.container !== true) throw usageError('--token-file needs --container')
}

const tokenFileOf = (tokenFile: string | undefined) => (tokenFile === undefined ? {} : { tokenFile })

function sourceFlags(flags: Flags): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !Object.hasOwn(SERVE_OPTIONS, name)))
}

function uidOf(value: string): number {
  if (!/^\d{1,10}$/.test(value)) throw usageError('--allow-uid must be a number')
  return Number(value)
}
