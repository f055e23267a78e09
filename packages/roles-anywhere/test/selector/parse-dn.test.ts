import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { goNameText } from '../../src/selector/go-name.ts'
import type { Name } from '../../src/selector/name.ts'
import { parseName } from '../../src/selector/name.ts'
import { parseDn } from '../../src/selector/parse-dn.ts'
import { sameName } from '../../src/selector/same-name.ts'
import vectors from '../vectors/go-names.json' with { type: 'json' }

const CN = '2.5.4.3'
const name = (...pairs: [oid: string, value: string][]): Name => pairs.map(([oid, value]) => [{ oid, value }])

describe('parseDn', () => {
  it.each([
    ['CN=a', name([CN, 'a'])],
    ['', []],
    ['cn = a b , O=o', name([CN, 'a b'], ['2.5.4.10', 'o'])],
    ['OID.2.5.4.3=a,2.5.4.10=b', name([CN, 'a'], ['2.5.4.10', 'b'])],
    ['CN=a\\, b\\+c', name([CN, 'a, b+c'])],
    ['CN="a, b+c \\"d\\""', name([CN, 'a, b+c "d"'])],
    ['CN=\\ a\\ ', name([CN, ' a '])],
    ['CN=Zo\\C3\\AB', name([CN, 'Zoë'])],
    ['CN=#0c0161', name([CN, 'a'])],
    ['CN=a=b', name([CN, 'a=b'])],
    ['CN=', name([CN, ''])],
    ['CN=🗝️', name([CN, '🗝️'])],
  ])('reads %s', (text, expected) => {
    expect(parseDn(text)).toEqual(expected)
  })

  it('reads friendly names in any case, and RDNs of several attributes', () => {
    const e = { oid: '1.2.840.113549.1.9.1', value: 'a@example.com' }
    const uid = { oid: '0.9.2342.19200300.100.1.1', value: 'u' }
    for (const type of ['E', 'e', 'email', 'emailAddress', '1.2.840.113549.1.9.1']) {
      expect(parseDn(`${type}=a@example.com+uid=u,DC=example`)).toEqual([
        [e, uid],
        [{ oid: '0.9.2342.19200300.100.1.25', value: 'example' }],
      ])
    }
  })

  it.each([
    'a',
    '=a',
    'CN=a,',
    'CN=a+',
    'CN=a,,O=b',
    'CN=a;O=b',
    'CN=a"b',
    'CN="a',
    'CN="a"b',
    'CN=\\',
    'CN=\\x',
    'CN=\\C3',
    'CN=#',
    'CN=#0c01',
    'CN=#040161',
    'CN=#0c01610c0161',
    'CN=<a>',
    'NOSUCH=a',
    '/C=US/CN=a',
  ])('S13: refuses %j', (text) => {
    expect(() => parseDn(text)).toThrow(expect.objectContaining({ code: 'ERR_RA_SELECTOR' }))
  })

  it('reads what Go writes back, but for what Go leaves out', () => {
    for (const { der, text } of vectors.cases) {
      const original = parseName(Buffer.from(der, 'hex'))
      const read = parseDn(text)
      expect(goNameText(read.toReversed())).toBe(text) // as Go reads a certificate from its other end
      if (read.flat().length === original.flat().length) expect(sameName(read, original)).toBe(true)
    }
  })

  it('F: reads any value that Go writes', () => {
    const types = ['2.5.4.10', '2.5.4.11', '1.2.840.113549.1.9.1']
    const attribute = fc.tuple(fc.constantFrom(...types), fc.string({ unit: 'grapheme', maxLength: 20 }))
    fc.assert(
      fc.property(fc.array(attribute, { maxLength: 5 }), (pairs) => {
        expect(sameName(parseDn(goNameText(name(...pairs))), name(...pairs))).toBe(true)
      }),
    )
  })

  it('F: takes time that grows no faster than the text', () => {
    const started = performance.now()
    for (const text of [`CN=${' '.repeat(100_000)}"`, `CN=${'\\,'.repeat(50_000)}"`, `CN="${'\\"'.repeat(50_000)}`]) {
      expect(() => parseDn(text)).toThrow("can't be read")
    }
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

describe('sameName', () => {
  it('counts neither order nor grouping, and every value as often as it is there', () => {
    expect(sameName(parseDn('CN=a,O=b,OU=c'), parseDn('OU=c+CN=a,O=b'))).toBe(true)
    expect(sameName(parseDn('OU=a,OU=a'), parseDn('OU=a'))).toBe(false)
    expect(sameName(parseDn('OU=a,OU=b'), parseDn('OU=a,OU=a'))).toBe(false)
    expect(sameName(parseDn('CN=a'), parseDn('O=a'))).toBe(false)
    expect(sameName(parseDn('CN=A'), parseDn('CN=a'))).toBe(false)
    expect(sameName([], [])).toBe(true)
  })
})
