import { describe, expect, it } from '@jest/globals'
import type { AwsKeys } from '../src/credentials-file/keys.ts'
import { rewriteProfile } from '../src/credentials-file/rewrite-profile.ts'
import { randomFile } from './random-file.ts'

const NEW: AwsKeys = { accessKeyId: 'accessKeyId', secretAccessKey: 'secretAccessKey', sessionToken: 'sessionToken' }
const KEYS =
  'aws_access_key_id = accessKeyId\naws_secret_access_key = secretAccessKey\naws_session_token = sessionToken\n'
const rewrite = (text: string, profile = 'p', keys = NEW): string =>
  rewriteProfile(Buffer.from(text, 'latin1'), profile, keys).toString('latin1')

describe('rewriteProfile', () => {
  // roles-anywhere helper, TestUpdate, with a line end after the last line as its reader adds one; 2026-11
  const JUNK = 'test\ntest\ntest\n'
  it.each([
    {
      name: 'one key, then another section',
      profile: 'test profile',
      input: '[test profile]\naws_access_key_id = test\n[test]\naws_secret_access_key = test\n',
      expected: `[test profile]\n${KEYS}[test]\naws_secret_access_key = test\n`,
    },
    {
      name: 'a foreign key stays where it is',
      profile: 'test profile',
      input: '[test profile]\naws_access_key_id = test\ntest_key = test\n[test]\naws_secret_access_key = test\n',
      expected: `[test profile]\n${KEYS.replace('\n', '\ntest_key = test\n')}[test]\naws_secret_access_key = test\n`,
    },
    {
      name: 'a commented header is none',
      profile: 'test profile',
      input: '# [test profile]\naws_access_key_id = test\n[test]\naws_secret_access_key = test\n',
      expected: `# [test profile]\naws_access_key_id = test\n[test]\naws_secret_access_key = test\n[test profile]\n${KEYS}\n`,
    },
    {
      name: 'no such section',
      profile: 'test profile',
      input: '[test]\naws_secret_access_key = test\n',
      expected: `[test]\naws_secret_access_key = test\n[test profile]\n${KEYS}\n`,
    },
    {
      name: 'a longer name is another section',
      profile: 'test',
      input: '[test profile]\naws_access_key_id = test\n[test]\naws_secret_access_key = test\n',
      expected: `[test profile]\naws_access_key_id = test\n[test]\n${KEYS}`,
    },
    {
      name: 'only the first of two sections',
      profile: 'test',
      input:
        '[test]\ntest_key = test\n[test profile]\naws_access_key_id = test\n[test]\naws_secret_access_key = test\n',
      expected: `[test]\ntest_key = test\n${KEYS}[test profile]\naws_access_key_id = test\n[test]\naws_secret_access_key = test\n`,
    },
  ])('F13: upstream case: $name', ({ profile, input, expected }) => {
    expect(rewrite(JUNK + input, profile)).toBe(JUNK + expected)
    const untouched = input.endsWith('[test]\naws_secret_access_key = test\n') && expected.endsWith('key = test\n')
    const [open, openExpected] = [input.slice(0, -1), untouched ? expected.slice(0, -1) : expected]
    expect(rewrite(JUNK + open, profile)).toBe(JUNK + openExpected)
  })

  it('F01: begins a file with header, keys and an empty line', () => {
    expect(rewrite('')).toBe(`[p]\n${KEYS}\n`)
  })

  it.each([
    [
      'another key as last line',
      '[p]\naws_access_key_id = x\nregion = r',
      `[p]\n${KEYS.replace('\n', '\nregion = r\n')}`,
    ],
    ['the next header as last line', '[p]\naws_access_key_id = x\n[q]', `[p]\n${KEYS}[q]`],
    ['its own header as last line', 'a = b\n[p]', `a = b\n[p]\n${KEYS}`],
    ['a key of ours as last line', `[p]\n${KEYS.replaceAll(/= \w+/g, '= x').trimEnd()}`, `[p]\n${KEYS.trimEnd()}`],
    [
      'a key that only begins like ours',
      '[p]\naws_access_key_id_old = 1\n[q]\n',
      `[p]\naws_access_key_id_old = 1\n${KEYS}[q]\n`,
    ],
    ['CRLF', '[p]\r\nx = y\r\n\r\n[q]\r\n', `[p]\r\nx = y\r\n${KEYS.replaceAll('\n', '\r\n')}\r\n[q]\r\n`],
    ['CRLF and no section', 'x = y\r\n', `x = y\r\n[p]\r\n${KEYS.replaceAll('\n', '\r\n')}\r\n`],
    ['a BOM', '\u00ef\u00bb\u00bf[p]\n', `\u00ef\u00bb\u00bf[p]\n${KEYS}`],
    ['nothing but a BOM', '\u00ef\u00bb\u00bf', `\u00ef\u00bb\u00bf[p]\n${KEYS}\n`],
    ['tabs and a comment behind the header', '\t[p]\t# mine\n', `\t[p]\t# mine\n${KEYS}`],
    ['[profile p] is another section', '[profile p]\nx = y\n', `[profile p]\nx = y\n[p]\n${KEYS}\n`],
    ['[p ] is another section', '[p ]\n', `[p ]\n[p]\n${KEYS}\n`],
    ['[p] followed by something is none of ours', '[p] x\na = b\n', `[p] x\na = b\n[p]\n${KEYS}\n`],
    ['... and ends the one before', '[p]\n[p] x\na = b\n', `[p]\n${KEYS}[p] x\na = b\n`],
    [
      'no spaces, upper case, colon',
      '[p]\nAWS_ACCESS_KEY_ID=x\naws_secret_access_key:x\naws_session_token\t=\n#\n',
      `[p]\n${KEYS}#\n`,
    ],
    [
      'keys twice',
      '[p]\naws_access_key_id = a\naws_access_key_id = b\n[q]\n',
      `[p]\naws_access_key_id = accessKeyId\n${KEYS}[q]\n`,
    ],
    [
      'all indented alike',
      `[p]\n  aws_access_key_id = x\n  region = y\n`,
      `[p]\n  ${KEYS.replace('\n', '\n  region = y\n')}`,
    ],
    [
      'settings below a setting',
      '[p]\ns3 =\n  aws_access_key_id = x\n# c\n  aws_session_token = y\n\n[q]\n',
      `[p]\ns3 =\n  aws_access_key_id = x\n# c\n  aws_session_token = y\n${KEYS}\n[q]\n`,
    ],
    ['comments at the end of a section', '[p]\nx = y\n\n# about q\n[q]\n', `[p]\nx = y\n${KEYS}\n# about q\n[q]\n`],
    [
      'a commented key',
      '[p]\n#aws_access_key_id = x\n; aws_session_token = y\n',
      `[p]\n${KEYS}#aws_access_key_id = x\n; aws_session_token = y\n`,
    ],
  ])('F13: %s', (_, input, expected) => {
    expect(rewrite(input)).toBe(expected)
    expect(rewrite(expected)).toBe(expected)
  })

  it('F15: keeps long lines, NUL and octets that are no UTF-8, fast', () => {
    const lines = [
      'x'.repeat(100_000),
      `\0\u00ff\u00fe${' '.repeat(100_000)}y`,
      '[ '.repeat(50_000),
      '\n'.repeat(100_000),
    ]
    const noise = lines.join('\n')
    const start = performance.now()
    const written = rewrite(`${noise}[p]\n${noise}[q]\n${noise}`)
    expect(performance.now() - start).toBeLessThan(5000)
    const [head, tail] = [lines.slice(0, 3).join('\n'), lines[3]!]
    expect(written === `${noise}[p]\n${head}\n${KEYS}${tail}[q]\n${noise}`).toBe(true)
  })

  it('F13: finds a name that is not ASCII, and takes away a token that is over', () => {
    const input = Buffer.from('[größe]\naws_session_token = old\nx = y\n')
    const keys = { accessKeyId: 'a', secretAccessKey: 'b' }
    const expected = '[größe]\nx = y\naws_access_key_id = a\naws_secret_access_key = b\n'
    expect(rewriteProfile(input, 'größe', keys).toString()).toBe(expected)
  })

  it('F14: changes nothing else in 100,000 random files, and nothing at all the second time', () => {
    for (let seed = 1; seed <= 100_000; seed++) {
      const { text, profile } = randomFile(seed)
      const once = rewrite(text, profile)
      if (!onlyKeysChanged(text, once, profile))
        throw new Error(`seed ${seed}: ${JSON.stringify({ text, profile, once })}`)
      if (rewrite(once, profile) !== once)
        throw new Error(`seed ${seed} again: ${JSON.stringify({ text, profile, once })}`)
    }
  }, 120_000)
})

const KEY = /^[ \t]*aws_(access_key_id|secret_access_key|session_token)[ \t]*[=:]/i
const withEnds = (text: string): string[] => text.split(/(?<=\n)/)

/** An opinion of its own: what is outside the section is there as it was, and what is inside, but for lines of keys. */
function onlyKeysChanged(text: string, once: string, profile: string): boolean {
  const lines = withEnds(text)
  const isHeader = (line: string): boolean => /^\s*\[[^\]]*\]/.test(line.replace('\u00ef\u00bb\u00bf', ''))
  const isOurs = (line: string): boolean =>
    isHeader(line) && /^\[(.*?)\]\s*([#;].*)?\s*$/.exec(line.replace('\u00ef\u00bb\u00bf', '').trim())?.[1] === profile
  const start = lines.findIndex(isOurs)
  if (start === -1) return once === `${text}${once.slice(text.length)}` && once.endsWith(added(text, profile))
  const length = lines.slice(start + 1).findIndex(isHeader)
  const end = length === -1 ? lines.length : start + 1 + length
  const [head, tail] = [lines.slice(0, start).join(''), lines.slice(end).join('')]
  if (!once.startsWith(head) || !once.endsWith(tail)) return false
  const rest = (section: readonly string[]): string =>
    section
      .filter((line) => !KEY.test(line))
      .join('')
      .replace(/[\r\n]+$/, '')
  return rest(withEnds(once.slice(head.length, once.length - tail.length))) === rest(lines.slice(start, end))
}

function added(text: string, profile: string): string {
  const eol = /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n'
  return `[${profile}]\n${KEYS}\n`.replaceAll('\n', eol)
}
