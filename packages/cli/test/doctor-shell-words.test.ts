import { execFileSync } from 'node:child_process'
import { describe, expect, it } from '@jest/globals'
import { shellWords } from '../src/doctor/shell-words.ts'

const LINES = [
  'hardbound aws tpm --key /etc/aws.pem',
  '  a \t b  ',
  '"a b" c\'d e\'f ""',
  `'it''s' "say \\"x\\"" "a\\\\b" "a\\b" a\\ b \\"`,
  `"C:\\Program Files\\x.exe" 'a\\b'`,
  'a#b # c',
  '~/x $HOME "pkcs11:token=a;object=b"',
  `'"' "'"`,
  '',
]

describe('shellWords', () => {
  it("splits as Python's shlex, and so the AWS CLI", () => {
    const program = 'import json,shlex,sys; print(json.dumps([shlex.split(x) for x in json.load(sys.stdin)]))'
    const expected: unknown = JSON.parse(
      execFileSync('python3', ['-c', program], { input: JSON.stringify(LINES) }).toString(),
    )
    expect(LINES.map((it) => shellWords(it)?.words)).toEqual(expected)
  })

  it.each(["a 'b", 'a "b', 'a\\', '"a\\'])('finds no end in %s', (line) => {
    expect(shellWords(line)).toBeUndefined()
  })

  it.each([
    ['a $B', true],
    ['a "$B"', true],
    ["a '$B'", false],
    ['a pkcs11:x;y', true],
    ['a "pkcs11:x;y?z=1&b"', false],
    ['~/a', true],
    ['a~b c#d', false],
    ['a \\; b', false],
  ])('sees what a shell would act on: %s', (line, expected) => {
    expect(shellWords(line)?.meansMoreToShell).toBe(expected)
  })
})
