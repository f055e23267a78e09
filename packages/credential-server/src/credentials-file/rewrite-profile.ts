import type { AwsKeys } from './keys.ts'

type Key = 'aws_access_key_id' | 'aws_secret_access_key' | 'aws_session_token'
const HEADER = /^[ \t]*\[([^\]]*)\](.*)$/s
const COMMENT_OR_BLANK = /^[ \t\r]*(?:[#;].*)?$/s
/** Longer names are none of ours; no line is searched for more. */
const MAX_NAME = 256
const BOM = '\u00ef\u00bb\u00bf' // as Latin-1

/**
 * Puts new keys into one profile of a credentials file. Octets are taken as Latin-1, so that each one comes out as it went in.
 *
 * Only the first section of that name is touched. In it, lines of the three keys are replaced where they are; missing keys
 * follow its last property. Keys are matched as AWS's parsers do: any case, spaces, `=` or `:`. A line that is indented deeper
 * than the property before it belongs to that one (botocore, and `s3 =` with its own settings everywhere).
 */
export function rewriteProfile(content: Uint8Array, profile: string, keys: AwsKeys): Buffer {
  const lines = splitLines(Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1'))
  const values = new Map<Key, string | undefined>([
    ['aws_access_key_id', keys.accessKeyId],
    ['aws_secret_access_key', keys.secretAccessKey],
    ['aws_session_token', keys.sessionToken],
  ])
  const name = Buffer.from(profile).toString('latin1')
  const start = lines.findIndex((line, index) => headerOf(line, index) === name)
  const written =
    start === -1 ? appendSection(lines, name, values) : replaceInSection(lines, start, sectionEnd(lines, start), values)
  return Buffer.from(written.join(''), 'latin1')
}

function replaceInSection(
  lines: readonly string[],
  start: number,
  end: number,
  values: ReadonlyMap<Key, string | undefined>,
): string[] {
  const eol = lineEnd(lines[start]) || lineEnd(lines[0]) || '\n'
  const missing = new Map(values)
  const section = [lines[start] ?? '']
  let last = 0 // where missing keys are to follow
  let indent = Number.POSITIVE_INFINITY
  for (let index = start + 1; index < end; index++) {
    const line = lines[index] ?? ''
    if (COMMENT_OR_BLANK.test(withoutEnd(line))) {
      section.push(line)
      continue
    }
    const depth = /^[ \t]*/.exec(line)?.[0].length ?? 0
    const key = depth > indent ? undefined : keyOf(line, values)
    indent = Math.min(depth, indent)
    // As upstream does: a key in the very last line of the file goes with the missing ones, in their order.
    if (key !== undefined && index === lines.length - 1 && missing.size > 1 && missing.has(key)) continue
    const value = key === undefined ? undefined : values.get(key)
    if (key === undefined) section.push(line)
    else if (value !== undefined) section.push(`${line.slice(0, depth)}${key} = ${value}${lineEnd(line)}`)
    if (key !== undefined) missing.delete(key)
    last = section.length - 1
  }
  const added = propertyLines(missing, eol)
  if (added.length > 0 && lineEnd(section[last]) === '') section[last] += eol
  section.splice(last + 1, 0, ...added)
  return [...lines.slice(0, start), ...section, ...lines.slice(end)]
}

function appendSection(lines: readonly string[], name: string, values: ReadonlyMap<Key, string | undefined>): string[] {
  const eol = lineEnd(lines[0]) || '\n'
  const last = lines.at(-1)
  const open = last !== undefined && lineEnd(last) === '' && last !== BOM
  return [...lines, open ? eol : '', `[${name}]${eol}`, ...propertyLines(values, eol), eol]
}

function propertyLines(values: ReadonlyMap<Key, string | undefined>, eol: string): string[] {
  return [...values].flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${value}${eol}`]))
}

/** Lines with their ends. No array is spread over a call, as files may have many lines. */
function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

function sectionEnd(lines: readonly string[], start: number): number {
  const length = lines.slice(start + 1).findIndex((line, index) => headerOf(line, index + start + 1) !== undefined)
  return length === -1 ? lines.length : start + 1 + length
}

/** Name of the section that begins here; empty for a header that is none of ours, whatever it says. */
function headerOf(line: string, index: number): string | undefined {
  const [, name, rest] =
    HEADER.exec(withoutEnd(index === 0 && line.startsWith(BOM) ? line.slice(BOM.length) : line)) ?? []
  if (name === undefined) return undefined
  return COMMENT_OR_BLANK.test(rest ?? '') ? name : ''
}

function keyOf(line: string, values: ReadonlyMap<Key, unknown>): Key | undefined {
  const end = line.slice(0, MAX_NAME).search(/[=:]/)
  const name = end === -1 ? undefined : line.slice(0, end).trim().toLowerCase()
  return [...values.keys()].find((key) => key === name)
}

function lineEnd(line = ''): string {
  return line.endsWith('\r\n') ? '\r\n' : line.endsWith('\n') ? '\n' : ''
}

function withoutEnd(line: string): string {
  return line.slice(0, line.length - lineEnd(line).length)
}
