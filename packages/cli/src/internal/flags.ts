import { closeSync, openSync, readSync } from 'node:fs'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { CliError, usageError } from '../cli-error.ts'

// Flags of the process credentials: few and plain, so `node:util` is enough.

export const text = { type: 'string' } as const
export const texts = { type: 'string', multiple: true } as const
export const flag = { type: 'boolean' } as const
export const help = { type: 'boolean', short: 'h' } as const

type Options = NonNullable<ParseArgsConfig['options']>
type Values<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; strict: true; allowPositionals: false }>
>['values']

/** What may have been given of options. */
export type GivenOf<T extends Options> = {
  readonly [K in keyof T]?:
    | (T[K] extends { multiple: true } ? string[] : T[K] extends { type: 'boolean' } ? boolean : string)
    | undefined
}

/** @throws {CliError} with exit code 2; no message holds a value. */
export function parseFlags<const T extends Options>(args: string[], options: T): Values<T> {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values
  } catch (cause) {
    // Its message may quote what was given, which is more than a flag's name where a value has come loose.
    const [, name] = /'(?:-\w, )?(--[\w-]+)/.exec(cause instanceof Error ? cause.message : '') ?? []
    const unknown = cause instanceof Error && 'code' in cause && cause.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
    if (name === undefined) throw usageError('only flags are expected')
    throw usageError(unknown ? `unknown flag ${name}` : `${name} has no value, or one where it takes none`)
  }
}

/** A property that is there, or none. */
export function given<K extends string, V>(name: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [key in K]: V })
}

/** @throws {CliError} where the flag was left out. */
export function required(name: string, value: string | undefined): string {
  if (value === undefined) throw usageError(`${name} is required`)
  return value
}

export function oneOf<const T extends string>(
  name: string,
  value: string | undefined,
  choices: readonly T[],
): T | undefined {
  if (value === undefined) return undefined
  const choice = choices.find((it) => it === value)
  if (choice === undefined) throw usageError(`${name} must be ${choices.join(' or ')}`)
  return choice
}

export function secondsOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,5}$/.test(value)) throw usageError(`${name} must be whole seconds, from 1`)
  return Number(value)
}

/** Octets of a file that is read at most: `/dev/zero` has no end. */
const MAX_FILE_OCTETS = 8_388_608

/** Octets of a file that a flag names. A pipe will do. */
export function fileOf(name: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined
  let octets: Buffer
  try {
    octets = readBounded(path)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new CliError(`${name}: ${path} can't be read (${code})`, { cause })
  }
  if (octets.length > MAX_FILE_OCTETS) throw new CliError(`${name}: ${path} has more than 8 MiB`)
  return octets
}

/** @returns More than the most, where there is more. */
function readBounded(path: string): Buffer {
  const file = openSync(path, 'r')
  try {
    const parts: Buffer[] = []
    for (let length = 0; length <= MAX_FILE_OCTETS; ) {
      const part = Buffer.alloc(65_536)
      const count = readSync(file, part)
      if (count === 0) break
      parts.push(part.subarray(0, count))
      length += count
    }
    return Buffer.concat(parts)
  } finally {
    closeSync(file)
  }
}

/**
 * The library's complaint about an option, in the words of flags. Anything else is thrown as it is.
 *
 * @param flags Options that their flags are not simply called like.
 */
export function inWordsOfFlags(cause: unknown, flags: Readonly<Record<string, string>> = {}): never {
  if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause
  throw usageError(cause.message.replace(/"(\w[\w.[\]]*)"/g, (_, option: string) => flagOf(option, flags)))
}

/** `assumeRole.Tags[0].Key` is about `--tag`, `durationSeconds` about `--duration-seconds`. */
function flagOf(option: string, flags: Readonly<Record<string, string>>): string {
  const parts = option.split('.').map((part) => part.replace(/\[\d*\]$/, ''))
  const known = parts.find((part) => flags[part] !== undefined)
  if (known !== undefined) return flags[known] ?? ''
  const kebab = (parts.at(-1) ?? option).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return `--${kebab.replace(/^-/, '')}`
}
