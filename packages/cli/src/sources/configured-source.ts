import { usageError } from '../cli-error.ts'
import { parseFlags, text } from '../internal/flags.ts'
import { SOURCES, type SourceName } from './index.ts'
import type { AwsSource, AzureSource, Flags } from './source.ts'

/** One source with everything that it was given, and what is to be done with its credentials. */
export interface ConfiguredSource {
  /** Name of the role that clients see, and of the profile that is written. */
  readonly name: string
  readonly source: AwsSource | AzureSource
  readonly flags: Flags
  /** Serves the form of ECS and EKS too. */
  readonly container?: { readonly tokenFile?: string } | undefined
  /** Of Azure: serves the form of virtual machines too. */
  readonly imds?: boolean | undefined
  /** Gets the variables that lead to it. */
  readonly environmentFile?: string | undefined
  /** Of Azure: the only resources that are served. */
  readonly allowedResources?: readonly string[] | undefined
  /** Starts without a session where there is none yet. */
  readonly lazy?: boolean | undefined
}

/** What several sources have in common. */
export interface SourcesConfig {
  /** `127.0.0.1:9911`, `[::1]:9911`, `unix:/path` */
  readonly listen?: string | undefined
  readonly allowUids?: readonly number[] | undefined
  readonly dangerouslyAllowAnyUser?: boolean | undefined
  readonly credentialsFile?: string | undefined
  readonly sources: readonly ConfiguredSource[]
}

/** Where the sources come from: `-c <file>`, or one that is named with its flags. */
export type Words =
  | { readonly config: string; readonly rest: string[] }
  | { readonly name: SourceName; readonly rest: string[] }

/**
 * Tells the two forms of a command's words apart.
 *
 * @param known Names of sources that a message lists.
 * @throws {CliError}
 */
export function wordsOf(args: readonly string[], known: readonly string[] = Object.keys(SOURCES)): Words {
  const [first = '', ...rest] = args
  if (Object.hasOwn(SOURCES, first)) return { name: first as SourceName, rest }
  const at = args.findIndex((it) => /^(?:-c|--config(?:=.*)?)$/s.test(it))
  if (at >= 0) {
    const word = args[at] ?? ''
    const long = word.startsWith('--config=')
    const { config } = parseFlags(long ? [word] : ['--config', ...args.slice(at + 1, at + 2)], { config: text })
    if (config !== undefined) return { config, rest: args.toSpliced(at, long ? 1 : 2) }
  }
  const names = known.join(', ')
  if (first === '' || first.startsWith('-')) throw usageError(`a source is required (${names}), or -c <file>`)
  throw usageError(`there is no such source; there are ${names}`)
}

/** The last part of a role's ARN; `undefined` where no role is asked for. */
export function roleNameOf(flags: Flags): string | undefined {
  const arn = flags['assume-role'] ?? flags['role-arn']
  return typeof arn === 'string' ? arn.split('/').at(-1) : undefined
}

/** The help of a command; where its words name a source, with that of the source. */
export function helpFor(help: string, [name = '']: readonly string[]): string {
  const source = Object.hasOwn(SOURCES, name) ? SOURCES[name as SourceName] : undefined
  return source === undefined ? help : `${help}\nOptions of the source are those of this command:\n\n${source.help}`
}
