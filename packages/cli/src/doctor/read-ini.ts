/** A key and its value. */
export interface IniEntry {
  /** In lower case. */
  readonly key: string
  readonly value: string
  /** From 1. */
  readonly line: number
}

/** One `[…]` of a file, and what is below it. */
export interface IniSection {
  readonly name: string
  readonly line: number
  readonly entries: IniEntry[]
}

/** What a file says, and where one of its lines is none that tools understand. */
export interface Ini {
  readonly sections: readonly IniSection[]
  readonly badLines: readonly number[]
  /** Lines that are indented, and so belong to the one above, though they look like entries of their own. */
  readonly swallowed: readonly { readonly key: string; readonly line: number }[]
}

/** Reads a file of AWS tools as Python's `configparser` does: the strictest of those that read it. */
export function readIni(text: string): Ini {
  const sections: IniSection[] = []
  const badLines: number[] = []
  const swallowed: { key: string; line: number }[] = []
  let indent = 0
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = index + 1
    const content = raw.trim()
    if (content === '' || /^[#;]/.test(content)) continue
    const section = sections.at(-1)
    const depth = raw.length - raw.trimStart().length
    const end = content.search(/[:=]/) // no expression that looks for spaces, too: lines may have very many
    const [key, value] = end < 0 ? [] : [content.slice(0, end).trimEnd(), content.slice(end + 1).trimStart()]
    const above = section?.entries.at(-1)
    if (above !== undefined && depth > indent) {
      if (key !== undefined && above.value !== '') swallowed.push({ key: key.toLowerCase(), line }) // else it is a nested one, as of s3
      continue
    }
    const [, name] = /^\[(.+)\]/.exec(content) ?? []
    if (name !== undefined) sections.push({ name, line, entries: [] })
    else if (section === undefined || key === undefined || value === undefined || key === '') badLines.push(line)
    else section.entries.push({ key: key.toLowerCase(), value, line })
    if (name === undefined) indent = depth
  }
  return { sections, badLines, swallowed }
}
