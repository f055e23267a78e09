/** Numbers of a seed (mulberry32), so that a failure can be had again. */
export function randomOf(seed: number) {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number): number => Math.floor(next() * n)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!
  const many = (max: number): number[] => Array.from({ length: below(max + 1) }, (_, index) => index)
  return { below, pick, many, chance: (p: number) => next() < p }
}
export type Random = ReturnType<typeof randomOf>

/** What has broken signers before, and the rest of Unicode in small doses. */
const PIECES = [
  'a', 'B', '0', '-', '_', '.', '~', '..', ' ', '  ', '+', '%', '%2F', '%25', '%20', '*', '(', ')', "'", '!', ':', '@', '$',
  ',', ';', '=', '&', '?', '#', '[', ']', '|', '^', '`', '{', '}', '"', '<', '>', '\\', 'é', 'ሴ', '🔑', '\u00a0', '\u2028', '\u007f',
] as const // biome-ignore format: a list of characters

/** Text with anything in it that is not half a surrogate pair. */
export const textOf = (random: Random, max = 6): string =>
  random
    .many(max)
    .map(() => random.pick(PIECES))
    .join('')

/** A path as it stands on the wire: encoded once, with dot segments, empty ones and encoded slashes. */
export function pathOf(random: Random): string {
  const segment = () =>
    random.chance(0.3)
      ? random.pick(['', '.', '..', '%2F', '%2e', '%252F', 'a+b', 'x.y', '...'])
      : encoded(textOf(random))
  return `/${random.many(5).map(segment).join('/')}`
}

/** Names and values; empty names, empty values and names that come again among them. */
export function pairsOf(random: Random): [string, string][] {
  const pairs = random.many(5).map((): [string, string] => [textOf(random, 4), textOf(random, 4)])
  return pairs.map(([name, value], index) => [index > 0 && random.chance(0.3) ? pairs[0]![0] : name, value])
}

const NAMES = [
  'Content-Type',
  'x-amz-meta-A',
  'X-Amz-Target',
  'my-header',
  'User-Agent',
  'Expect',
  'proxy-x',
  'sec-x',
  'Range',
  'TE',
]
const BLANKS = ['', ' ', '  ', '\t', ' \t ', '\r\n  ', '\n\t']

/** Headers of distinct names, with blanks wherever HTTP ever let them be. */
export function headersOf(random: Random): Record<string, string> {
  const value = () =>
    random
      .many(4)
      .map(() => random.pick(BLANKS) + random.pick(['a', 'B', '1', ',', '"x  y"', '=', 'é']))
      .join('') + random.pick(BLANKS)
  return Object.fromEntries(NAMES.filter(() => random.chance(0.25)).map((name) => [name, value()]))
}

/** `encodeURIComponent`, with some of what it encodes left as it is in the way of older clients. */
const encoded = (text: string): string => encodeURIComponent(text).replaceAll('%40', '@').replaceAll('%3A', ':')
