import { describe, expect, it } from '@jest/globals'
import { parseStrictYaml } from '../../src/policy/yaml.ts'

describe('parseStrictYaml', () => {
  it('P04 reads YAML 1.2 and JSON, where "no" is text', () => {
    expect(parseStrictYaml('a: no\nb: [on, yes, 12, -1, true, 2012-10-17]')).toEqual({
      a: 'no',
      b: ['on', 'yes', 12, -1, true, '2012-10-17'],
    })
    expect(parseStrictYaml('{"a": [1, {"b": "c"}]}')).toEqual({ a: [1, { b: 'c' }] })
  })

  it.each([
    ['an anchor', 'a: &x 1'],
    ['an alias bomb', 'a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]'],
    ['an alias of nothing', 'a: *x'],
    ['a merge key', 'a: &x {b: 1}\nc: {<<: *x}'],
    ['a key twice', 'a: 1\na: 2'],
    ['a key twice in JSON', '{"a": 1, "\\u0061": 2}'],
    ['tabs for indentation', 'a:\n\tb: 1'],
    ['a JavaScript tag', 'a: !!js/function "function () {}"'],
    ['a standard tag', 'a: !!str 1'],
    ['a tag of its own', 'a: !x 1'],
    ['not a number', 'a: .nan'],
    ['infinity', 'a: .inf'],
    ['hexadecimal', 'a: 0x10'],
    ['octal', 'a: 0o17'],
    ['a leading zero', 'a: 0123'],
    ['an exponent', 'a: 1e3'],
    ['a fraction', 'a: 1.5'],
    ['a number beyond 2^53', 'a: 9007199254740993'],
    ['two documents', 'a: 1\n---\nb: 2'],
    ['a YAML directive', '%YAML 1.1\n---\na: no'],
    ['a TAG directive', '%TAG !e! tag:example.com,2026:\n---\na: 1'],
    ['a number for a key', '1: a'],
    ['a list for a key', '? [a]\n: b'],
    ['a truth value for a key', 'true: a'],
    ['an open bracket', 'a: [1'],
    ['deep nesting of lists', '['.repeat(100_000)],
    ['deep nesting of mappings', '{a: '.repeat(100_000)],
    ['deep nesting of blocks', '- '.repeat(100_000)],
    ['deep nesting of keys', '? '.repeat(100_000)],
    ['more than 1 MiB', `a: "${'x'.repeat(1024 * 1024)}"`],
  ])('P04 refuses %s', (_name, text) => {
    expect(() => parseStrictYaml(text)).toThrow(expect.objectContaining({ code: 'ERR_POLICY_SYNTAX', path: '' }))
  })

  it('says where, and not what', () => {
    expect(() => parseStrictYaml('first: 1\nsecret: s3cr3t\nsecret: s3cr3t')).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^line 3, column 1: (?!.*s3cr3t)/) }),
    )
  })
})
