import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parseStrictJson, StrictJsonError } from '../src/strict-json.ts'

const LIMITS = { maxBytes: 65_536, maxDepth: 16 }
const parse = (input: string | Uint8Array) => parseStrictJson(input, LIMITS)
const withCode = (code: string): unknown => expect.objectContaining({ name: 'StrictJsonError', code })

describe('parseStrictJson', () => {
  it.each(['{}', '[]', ' [1, -0.5e+3, "a\\u00e9\\n", true, false, null, {"a":{"b":[]}}] ', '0', '""', '-0'])(
    'reads %j as JSON.parse does',
    (text) => {
      expect(parse(text)).toStrictEqual(JSON.parse(text))
      expect(parse(Buffer.from(text))).toStrictEqual(JSON.parse(text))
    },
  )

  it.each([
    ['{"a":1,"a":1}', 'twice at the top'],
    ['[{"x":{"a":1,"b":2,"a":3}}]', 'twice inside'],
    ['{"a":1,"\\u0061":2}', 'twice in two spellings'],
    ['{"__proto__":1,"__proto__":2}', '__proto__ twice'],
  ])('J15 refuses a key twice: %s', (text) => {
    expect(() => parse(text)).toThrow(withCode('ERR_JSON_DUPLICATE_KEY'))
  })

  it('keeps __proto__, constructor and toString as ordinary keys', () => {
    const value = parse('{"__proto__":{"polluted":1},"constructor":2,"toString":3}') as Record<string, unknown>
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString'])
    expect(value.polluted).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('J21 refuses depth before it descends', () => {
    expect(parse('['.repeat(16) + ']'.repeat(16))).toBeDefined()
    expect(() => parse('['.repeat(17) + ']'.repeat(17))).toThrow(withCode('ERR_JSON_DEPTH'))
    expect(() => parse('{"a":'.repeat(10_000))).toThrow(withCode('ERR_JSON_DEPTH'))
  })

  it('forgets the depth of what is closed', () => {
    expect(parse(`[${'[[]],'.repeat(100)}1]`)).toHaveLength(101)
  })

  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', '9007199254740992'],
    ['-9007199254740993', '-9007199254740993'],
    ['6920867375712861823', '6920867375712861823'],
    ['1e20', 1e20],
  ])('reads the integer %s exactly', (text, value) => {
    expect(parse(text)).toBe(value)
  })

  it.each(['1e400', '-1e400', '01', '+1', '1.', '.5', '0x10', 'NaN', 'Infinity', '1e', '--1'])(
    'K11 refuses the number %s',
    (text) => {
      expect(() => parse(text)).toThrow(withCode('ERR_JSON_SYNTAX'))
    },
  )

  it.each([
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '[1 2]',
    '"\n"',
    '"\\x"',
    '"abc',
    '"abc\\',
    '{} {}',
    '[]x',
    'tru',
    'nulls',
    '/**/1',
    '\u00a01',
  ])('refuses %j', (text) => {
    expect(() => parse(text)).toThrow(withCode('ERR_JSON_SYNTAX'))
  })

  it.each([
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['overlong UTF-8', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['a truncated sequence', Buffer.from([0x22, 0xe2, 0x82, 0x22])],
    ['a byte order mark in text', '\ufeff{}'],
    ['a lone surrogate', '"\ud800"'],
    ['an escaped lone surrogate', '"\\ud800x"'],
    ['an escaped lone surrogate as a key', '{"\\udc00":1}'],
  ])('J18 refuses %s', (_, input) => {
    expect(() => parse(input)).toThrow(withCode('ERR_JSON_ENCODING'))
  })

  it('reads a surrogate pair, in full and escaped', () => {
    expect(parse('"😀\\ud83d\\ude00"')).toBe('😀😀')
  })

  it('counts octets and keys', () => {
    expect(() => parseStrictJson('"éé"', { maxBytes: 5, maxDepth: 1 })).toThrow(withCode('ERR_JSON_SIZE'))
    expect(parseStrictJson('"éé"', { maxBytes: 6, maxDepth: 1 })).toBe('éé')
    const keys = '[{"a":1},{"b":2,"c":3}]'
    expect(() => parseStrictJson(keys, { ...LIMITS, maxKeys: 2 })).toThrow(withCode('ERR_JSON_SIZE'))
    expect(parseStrictJson(keys, { ...LIMITS, maxKeys: 3 })).toBeDefined()
  })

  it('gives back every JSON value (property)', () => {
    const limits = { maxBytes: 1e7, maxDepth: 1000 }
    const safe = (_: string, value: unknown) =>
      typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) ? 0 : value
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text, safe)
        expect(parseStrictJson(JSON.stringify(value), limits)).toStrictEqual(value)
      }),
      { numRuns: 2000 },
    )
  })

  it('throws nothing but its own error, and accepts nothing that JSON.parse refuses (fuzz)', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '\\u00',
      'a',
      '1',
      '-',
      '.',
      'e',
      'true',
      'null',
      ' ',
      '\0',
    ]
    const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 }))).map((all) => all.join(''))
    fc.assert(
      fc.property(fc.oneof(text, fc.uint8Array({ maxLength: 60 })), (input) => {
        try {
          parse(input)
        } catch (error) {
          expect(error).toBeInstanceOf(StrictJsonError)
          return
        }
        JSON.parse(typeof input === 'string' ? input : Buffer.from(input).toString())
      }),
      { numRuns: 20_000 },
    )
  })
})
