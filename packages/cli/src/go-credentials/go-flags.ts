// Flags as Go's package `flag` reads them. https://pkg.go.dev/flag#hdr-Command_line_flag_syntax

/** One flag. Without `default` it is Go's zero value: an empty string, 0 or false. */
export type GoFlag =
  | { readonly type: 'string'; readonly usage: string; readonly default?: string }
  | { readonly type: 'int' | 'uint'; readonly usage: string; readonly default?: number }
  | { readonly type: 'bool'; readonly usage: string }

/** All flags of a command, by name. */
export type GoFlags = Readonly<Record<string, GoFlag>>

/** Every flag has a value. Numbers beyond 2^53 are the nearest one that JavaScript has. */
export type GoValues<F extends GoFlags> = {
  readonly [K in keyof F]: F[K]['type'] extends 'bool' ? boolean : F[K]['type'] extends 'string' ? string : number
}

/** What a command line comes to. `given` has the names of flags that stood there. */
export type GoParsed<F extends GoFlags> =
  | { readonly kind: 'values'; readonly values: GoValues<F>; readonly given: ReadonlySet<string> }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string }

/**
 * Reads `-x v`, `--x v`, `-x=v` and `--x=v`; of a flag that is given twice the last one holds. Where Go would stop and ignore what
 * follows, at the first word that is no flag, this is refused.
 *
 * @param args Words after the program's name.
 * @returns `wrong` says why in Go's words, but never the value.
 */
export function parseGoFlags<const F extends GoFlags>(args: readonly string[], flags: F): GoParsed<F> {
  const values: Record<string, string | number | boolean> = {}
  for (const [name, flag] of Object.entries(flags)) values[name] = defaultOf(flag)
  const given = new Set<string>()
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? ''
    if (word === '--' && at === args.length - 1) break
    if (word.length < 2 || !word.startsWith('-') || word === '--') {
      return wrong(
        'a word that is no flag: what follows it would be ignored (is there a space before the value of a boolean flag?)',
      )
    }
    const [, name = '', attached] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === '') return wrong('bad flag syntax')
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    if (flag === undefined) {
      return name === 'h' || name === 'help' ? { kind: 'help' } : wrong(`flag provided but not defined: -${name}`)
    }
    const text = attached ?? (flag.type === 'bool' ? 'true' : args[++at])
    if (text === undefined) return wrong(`flag needs an argument: -${name}`)
    const value = asValue(flag, text)
    if (value instanceof Error) {
      return wrong(
        `invalid ${flag.type === 'bool' ? 'boolean value for' : 'value for flag'} -${name}: ${value.message}`,
      )
    }
    values[name] = value
    given.add(name)
  }
  return { kind: 'values', values: values as GoValues<F>, given }
}

/** What Go prints after a wrong flag, and for `-h`. */
export function goUsage(command: string, flags: GoFlags): string {
  const names = Object.keys(flags).sort() // by octets, as Go does
  const entries = names.map((name) => {
    const flag = flags[name] as GoFlag
    const value = defaultOf(flag)
    const shown = value === '' || value === 0 || value === false ? '' : ` (default ${JSON.stringify(value)})`
    return `  -${name}${flag.type === 'bool' ? '' : ` ${flag.type}`}\n    \t${flag.usage}${shown}\n`
  })
  return `Usage of ${command}:\n${entries.join('')}`
}

const defaultOf = (flag: GoFlag): string | number | boolean => {
  if (flag.type === 'bool') return false
  return flag.default ?? (flag.type === 'string' ? '' : 0)
}

const PARSE = new Error('parse error')
const RANGE = new Error('value out of range')

function asValue({ type }: GoFlag, text: string): string | number | boolean | Error {
  if (type === 'string') return text
  if (type === 'bool') return BOOLEANS.get(text) ?? PARSE
  const value = integer(text, type === 'int')
  if (value === undefined) return PARSE
  const [least, most] = type === 'int' ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n]
  return value < least || value > most ? RANGE : Number(value)
}

/** Those that `strconv.ParseBool` knows. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((it) => [it, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((it) => [it, false] as const),
])

/** An integer literal of Go: with a prefix for its base, where 0 alone means octal, and `_` between digits. */
function integer(text: string, signed: boolean): bigint | undefined {
  const [, sign, hex, octal, binary, decimal] = INTEGER.exec(text.slice(0, MAX_DIGITS)) ?? []
  if (sign === undefined || text.length > MAX_DIGITS || (sign !== '' && !signed)) return undefined
  const prefixed = [hex && `0x${hex}`, octal && `0o${octal}`, binary && `0b${binary}`, decimal].find(Boolean) ?? '0'
  const value = BigInt(prefixed.replaceAll('_', ''))
  return sign === '-' ? -value : value
}

const INTEGER = /^([+-]?)(?:0[xX]((?:_?[\da-fA-F])+)|0[oO]?((?:_?[0-7])+)|0[bB]((?:_?[01])+)|([1-9](?:_?\d)*)|0)$/
/** More than any that fits; a longer one is no number that somebody meant. */
const MAX_DIGITS = 256

const wrong = (why: string) => ({ kind: 'wrong', why }) as const
