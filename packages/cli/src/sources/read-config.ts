import { dirname, isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { CliError } from '../cli-error.ts'
import { readInput } from '../input.ts'
import { ConfigError, problemsOf, snakeCase } from '../internal/config-error.ts'
import { parseFlags } from '../internal/flags.ts'
import { parseConfigYaml } from '../internal/strict-yaml.ts'
import type { ConfiguredSource, SourcesConfig } from './configured-source.ts'
import { SOURCES, type SourceName } from './index.ts'
import type { AwsSource, AzureSource, Flags } from './source.ts'

const text = z.string().min(1, 'must not be empty').max(4096)
const value = z.union(
  [text, z.number(), z.boolean(), z.array(text).max(100)],
  'must be text, a number, true, false or a list',
)
const flags = z.record(z.string().regex(/^[a-z][a-z0-9_]*$/, 'is no option'), value)
const kindOf = (name: string): string => name.replaceAll('-', '_')
const kinds = Object.fromEntries(Object.keys(SOURCES).map((name) => [kindOf(name), flags.optional()]))

const entry = z
  .strictObject({
    ...kinds,
    container: z.union([z.boolean(), z.strictObject({ token_file: text })]).optional(),
    imds: z.boolean().optional(),
    environment_file: text.optional(),
    allowed_resources: z.array(text).min(1).max(100).optional(),
    lazy: z.boolean().optional(),
  })
  .refine(
    (it) => Object.keys(it).filter((key) => key in kinds).length === 1,
    `must have one of ${Object.keys(kinds).join(', ')}`,
  )
type Entry = z.output<typeof entry>

/** @param folder Where paths start. */
const schemaIn = (folder: string) =>
  z.strictObject({
    listen: text.optional(),
    allow_uids: z.array(z.int().min(0)).max(255).optional(),
    dangerously_allow_any_user: z.boolean().optional(),
    credentials_file: text.optional(),
    sources: z
      .record(
        z.string().regex(/^[\w+=,.@-]{1,64}$/, 'must be 1 to 64 letters, digits and _+=,.@-'),
        entry.transform((it, found) =>
          sourceOf(it, folder, (key, message) => found.addIssue({ code: 'custom', path: [key], message })),
        ),
      )
      .refine((it) => Object.keys(it).length > 0, 'must not be empty'),
  })

/**
 * Reads a file of named sources. What a source can be told is what `hardbound aws <source>` can, with `_` in place of `-`.
 *
 * @throws {CliError} where the file can't be read.
 * @throws {ConfigError} with everything that is wrong with its shape. Unknown keys are.
 */
export async function readSourcesConfig(file: string): Promise<SourcesConfig> {
  const folder = file === '-' ? process.cwd() : dirname(resolve(file))
  const result = schemaIn(folder).safeParse(parseConfigYaml(await readInput(file, 'configuration')))
  if (!result.success) throw new ConfigError(result.error.issues.flatMap(problemsOf))
  const { data } = result
  return {
    listen: data.listen,
    allowUids: data.allow_uids,
    dangerouslyAllowAnyUser: data.dangerously_allow_any_user,
    credentialsFile: data.credentials_file === undefined ? undefined : resolve(folder, data.credentials_file),
    sources: Object.entries(data.sources).map(([name, it]) => ({ name, ...it })),
  }
}

/** @param wrong Told the key that is, and why. */
function sourceOf(
  entry: Entry,
  folder: string,
  wrong: (key: string, problem: string) => void,
): Omit<ConfiguredSource, 'name'> {
  const known = (Object.keys(SOURCES) as SourceName[]).find((it) => kindOf(it) in entry) ?? 'ekm'
  const source: AwsSource | AzureSource = SOURCES[known]
  const given = (entry as Record<string, unknown>)[kindOf(known)] as z.output<typeof flags>
  const path = (it: string | undefined) => (it === undefined ? undefined : resolve(folder, it))
  const { container } = entry
  const lacking = (source.cloud === 'aws' ? AWS_LACKS : AZURE_LACKS).find((it) => entry[it] !== undefined)
  if (lacking !== undefined) wrong(lacking, `does not go with ${known}`)
  return {
    source,
    flags: flagsOf(given, source, folder, (problem) => wrong(kindOf(known), problem)),
    container:
      container === undefined || container === false
        ? undefined
        : container === true
          ? {}
          : { tokenFile: resolve(folder, container.token_file) },
    imds: entry.imds,
    environmentFile: path(entry.environment_file),
    allowedResources: entry.allowed_resources,
    lazy: entry.lazy,
  }
}

const AWS_LACKS = ['allowed_resources'] as const
const AZURE_LACKS = ['container', 'lazy'] as const

/** Goes through the words of a command line, so that a file and a command mean the same. */
function flagsOf(
  given: z.output<typeof flags>,
  { options, files }: AwsSource | AzureSource,
  folder: string,
  wrong: (problem: string) => void,
): Flags {
  const words = Object.entries(given).flatMap(([key, value]) => {
    const flag = key.replaceAll('_', '-')
    const inFolder = (it: string) => pathFrom(folder, it, files.includes(flag))
    if (value === false) return []
    if (value === true) return [`--${flag}`]
    return [value].flat().map((it) => `--${flag}=${inFolder(String(it))}`)
  })
  try {
    return parseFlags(words, options) as Flags
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause
    wrong(cause.message.replaceAll(/--([\w-]+)/g, (_, name: string) => snakeCase(kindOf(name))))
    return {}
  }
}

/** Paths start at the folder of the file, also behind `file:`; URIs and what is read elsewhere are left alone. */
function pathFrom(folder: string, value: string, isFile: boolean): string {
  const [, kind = '', path = ''] = /^((?:file|folder|p12|unix):)?(.*)$/s.exec(value) ?? []
  const isPath = kind !== '' || (isFile && !/^(?:stdin$|system$|Key=|\w+:)/.test(value))
  return isPath && !isAbsolute(path) ? `${kind}${resolve(folder, path)}` : value
}
