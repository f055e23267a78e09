import { findCommand } from './find-command.ts'
import { type CommandName, FLAGS, FLAGS_OF, type FlagName, type FlagSpec } from './flags.ts'
import { GoValueError, goBool, goInt, goQuote } from './go-values.ts'
import { exclusiveFlags } from './groups.ts'
import { missingFlags } from './missing.ts'
import { HelperUsageError } from './usage-error.ts'

/** A command line that was understood. */
export interface CommandLine {
  /** Nothing: no command was named, and help is what is wanted. */
  readonly command: CommandName | undefined
  /** `--help` was given. */
  readonly help: boolean
  /** By name, with defaults. A command casts it to its own `FlagsOf`. */
  readonly values: Readonly<Record<string, unknown>>
  /** Of `help` and `completion`, which take words. Others refuse them. */
  readonly words: readonly string[]
}

/**
 * Reads a command line as the original's parser does, whose messages scripts may know; but refuses words that it would ignore.
 *
 * @throws {HelperUsageError}
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const { command, rest } = findCommand(args)
  const usage = command ?? 'root'
  const parsed = parseFlags(rest, command === undefined ? [] : FLAGS_OF[command], usage)
  const { typed, words, last, help } = parsed
  if (!help && command !== undefined) {
    if (words.length > 0 && command !== 'help' && command !== 'completion') {
      throw new HelperUsageError(strayWord(command, parsed.values, last), usage)
    }
    const conflict = exclusiveFlags(command, typed)
    if (conflict !== undefined) throw new HelperUsageError(conflict, usage)
  }
  return { command, help, words, values: { ...parsed.values, typed } }
}

/** The word itself is not quoted: it may be a password that came loose. */
function strayWord(command: CommandName, values: Readonly<Record<string, unknown>>, last: string | undefined): string {
  const missing = missingFlags(command, values)
  const cure = last === 'cert-selector' ? ' (put quotation marks around the whole selector)' : ''
  const where = `unexpected argument after ${last === undefined ? command : `--${last}`}${cure}`
  return missing.length === 0 ? where : `${where}; missing: ${missing.map((name) => `--${name}`).join(', ')}`
}

interface ParsedFlags {
  readonly values: Record<string, unknown>
  readonly typed: Set<FlagName>
  readonly words: string[]
  help: boolean
  /** Name of the flag before the first word that is none. */
  last: string | undefined
}

function parseFlags(args: readonly string[], names: readonly FlagName[], usage: CommandName | 'root'): ParsedFlags {
  const values: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, FLAGS[name].default]))
  const parsed: ParsedFlags = { values, typed: new Set(), words: [], help: false, last: undefined }
  const fail = (message: string): never => {
    throw new HelperUsageError(message, usage)
  }
  const set = (name: string, label: string, text: string, read: () => void): void => {
    if (parsed.words.length === 0) parsed.last = name
    try {
      read()
    } catch (error) {
      if (!(error instanceof GoValueError)) throw error
      fail(`invalid argument ${shown(name, text)} for "${label}" flag: ${shownIn(error.message, name, text)}`)
    }
  }
  const setHelp = (text: string): void =>
    set('help', '-h, --help', text, () => {
      parsed.help = goBool(text)
    })
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      parsed.words.push(...rest)
      break
    }
    if (!arg.startsWith('-') || arg === '-') {
      parsed.words.push(arg)
    } else if (!arg.startsWith('--')) {
      shortFlags(arg, setHelp, fail)
    } else {
      const [, name = '', given] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? []
      if (name === '' || name.startsWith('-')) fail(`bad flag syntax: ${beforeValue(arg)}`)
      const known = names.find((it) => it === name)
      if (name === 'help') setHelp(given ?? 'true')
      else if (known === undefined) fail(`unknown flag: --${name}`)
      else {
        const spec = FLAGS[known]
        const text = given ?? (spec.kind === 'bool' ? 'true' : rest.shift())
        if (text === undefined) return fail(`flag needs an argument: --${name}`)
        set(name, `--${name}`, text, () => {
          values[name] = read(spec, text)
        })
        parsed.typed.add(known)
      }
    }
  }
  return parsed
}

/** There is but one: `-h`, also `-h=false`. */
function shortFlags(arg: string, setHelp: (text: string) => void, fail: (message: string) => never): void {
  for (let letters = arg.slice(1); letters !== ''; letters = letters.slice(1)) {
    const [letter = ''] = letters
    if (letter !== 'h') fail(`unknown shorthand flag: '${letter}' in -${beforeValue(letters)}`)
    const joined = letters.length > 2 && letters[1] === '='
    setHelp(joined ? letters.slice(2) : 'true')
    if (joined) return
  }
}

function read(spec: FlagSpec, text: string): string | boolean | number {
  if (spec.kind === 'bool') return goBool(text)
  if (spec.kind === 'int') return goInt(text)
  const { choices } = spec
  if (choices !== undefined && !choices.includes(text)) {
    throw new GoValueError(`${text} is not included in ${choices.join(',')}`)
  }
  return text
}

/** A password after a flag that is mistyped is not for a log. */
const beforeValue = (text: string): string => text.replace(/(?<=.)=.*$/s, '')

/** `--reuse-pin=1234` is a mistake that has been made. */
const shown = (name: string, text: string): string => (/pin|password/.test(name) ? '"***"' : goQuote(text))
const shownIn = (message: string, name: string, text: string): string =>
  shown(name, text) === goQuote(text) ? message : message.replace(goQuote(text), () => shown(name, text))
