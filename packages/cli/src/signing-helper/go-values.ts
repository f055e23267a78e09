// Values of flags, read as Go reads them, with its words for what it can't read.

const BOOLS: Readonly<Record<string, boolean>> = {
  ...{ '1': true, t: true, T: true, true: true, TRUE: true, True: true },
  ...{ '0': false, f: false, F: false, false: false, FALSE: false, False: false },
}
const MAX_INT64 = 2n ** 63n - 1n

/** What Go says of a value that it can't read. */
export class GoValueError extends Error {
  override readonly name = 'GoValueError'
}

/** As `strconv.ParseBool`. @throws {GoValueError} */
export function goBool(text: string): boolean {
  const value = Object.hasOwn(BOOLS, text) ? BOOLS[text] : undefined
  if (value === undefined) throw new GoValueError(`strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`)
  return value
}

/**
 * As `strconv.ParseInt` with base 0: `16`, `0x10`, `0o20`, `020`, `0b1_0000`. Beyond 2^53 it is not exact, which no flag has use for.
 * @throws {GoValueError}
 */
export function goInt(text: string): number {
  const wrong = (why: string): GoValueError => new GoValueError(`strconv.ParseInt: parsing ${goQuote(text)}: ${why}`)
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  if (!NUMBERS.some((form) => form.test(digits))) throw wrong('invalid syntax')
  const value = BigInt(digits.replaceAll('_', '').replace(/^0(?=\d)/, '0o'))
  if (value > MAX_INT64 + (sign === '-' ? 1n : 0n)) throw wrong('value out of range')
  return Number(sign === '-' ? -value : value)
}

/** A `_` stands between digits, or behind the prefix. */
const NUMBERS = [
  /^[1-9](?:_?\d)*$/,
  /^0(?:_?[0-7])*$/,
  /^0[xX](?:_?[0-9a-fA-F])+$/,
  /^0[oO](?:_?[0-7])+$/,
  /^0[bB](?:_?[01])+$/,
]

/** As Go's `%q`: in quotes, and safe for a terminal. */
export function goQuote(text: string): string {
  const inner = text.replace(/["\\\p{C}\p{Zl}\p{Zp}]/gu, (it) => {
    if (it === '"' || it === '\\') return `\\${it}`
    const code = it.codePointAt(0) ?? 0
    const short = SHORT[code]
    if (short !== undefined) return short
    const [letter, digits] = code < 0x80 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8]
    return `\\${letter}${code.toString(16).padStart(digits, '0')}`
  })
  return `"${inner}"`
}

const SHORT: Readonly<Record<number, string>> = {
  ...{ 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n' },
  ...{ 11: '\\v', 12: '\\f', 13: '\\r' },
}
