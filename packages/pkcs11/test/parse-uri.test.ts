import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { formatPkcs11Uri, type Pkcs11Uri, parsePkcs11Uri } from '../src/index.ts'
import vectors from './vectors/rfc7512-examples.json' with { type: 'json' }

const plain = ({ id, ...rest }: Pkcs11Uri): object => ({
  ...rest,
  ...(id !== undefined && { idHex: Buffer.from(id).toString('hex') }),
})

describe('parsePkcs11Uri', () => {
  it.each(vectors.cases)('reads $uri', ({ uri, fields }) => {
    expect(plain(parsePkcs11Uri(uri))).toEqual(fields)
    expect(plain(parsePkcs11Uri(formatPkcs11Uri(parsePkcs11Uri(uri), { dangerouslyShowPin: true })))).toEqual(fields)
  })

  it('reads the other attributes of section 2.3, and a scheme in capitals', () => {
    expect(parsePkcs11Uri('PKCS11:slot-id=4294967295;slot-manufacturer=a&b=c?module-path=/a?b|c')).toEqual({
      slotId: 4294967295,
      slotManufacturer: 'a&b=c',
      modulePath: '/a?b|c',
    })
  })

  it('keeps every value of a vendor attribute in the query', () => {
    const { vendorQuery } = parsePkcs11Uri('pkcs11:?x-a=1&x-a=2&__proto__=3')
    expect(Object.entries(vendorQuery ?? {})).toEqual([
      ['x-a', ['1', '2']],
      ['__proto__', ['3']],
    ])
  })

  it.each([
    ['another scheme', 'pkcs12:token=a'],
    ['nothing', ''],
    ['an attribute twice', 'pkcs11:token=a;token=b'],
    ['a query attribute twice', 'pkcs11:?pin-source=/a&pin-source=/b'],
    ["a vendor's path attribute twice", 'pkcs11:x=1;x=2'],
    ['two ways to the PIN', 'pkcs11:?pin-source=/a&pin-value=1'],
    ['an attribute without "="', 'pkcs11:token'],
    ['an empty attribute', 'pkcs11:token=a;'],
    ['an attribute without a name', 'pkcs11:=a'],
    ['a space', 'pkcs11:token=a b'],
    ['a slash in the path', 'pkcs11:object=a/b'],
    ['a "#"', 'pkcs11:token=a#b'],
    ['an unescaped letter outside ASCII', 'pkcs11:token=á'],
    ['half an escape', 'pkcs11:token=a%4'],
    ['a bad escape', 'pkcs11:token=a%zz'],
    ['text that is not UTF-8', 'pkcs11:token=%ff'],
    ['an unknown class', 'pkcs11:type=secret'],
    ['a bad version', 'pkcs11:library-version=1.2.3'],
    ['a bad slot', 'pkcs11:slot-id=0x1'],
    ['a slot beyond what a number holds', 'pkcs11:slot-id=9007199254740993'],
    ['65 attributes', `pkcs11:${Array.from({ length: 65 }, (_, at) => `x${at}=`).join(';')}`],
    ['5 KB', `pkcs11:token=${'a'.repeat(5000)}`],
  ])('refuses %s', (_, uri) => {
    expect(() => parsePkcs11Uri(uri)).toThrow(TypeError)
  })

  it('M13 has the PIN in no message and in no formatted URI', () => {
    for (const bad of ['%', ' ', '%ff', '&pin-value=secret-pin', '&pin-source=/x']) {
      let message = ''
      try {
        parsePkcs11Uri(`pkcs11:?pin-value=secret-pin${bad}`)
      } catch (error) {
        message = (error as Error).message
      }
      expect(message).toMatch(/pin-/)
      expect(message).not.toContain('secret-pin')
    }
    const uri = parsePkcs11Uri('pkcs11:token=a?pin-value=secret-pin')
    expect(formatPkcs11Uri(uri)).toBe('pkcs11:token=a')
    expect(formatPkcs11Uri(uri, { dangerouslyShowPin: true })).toBe('pkcs11:token=a?pin-value=secret-pin')
  })

  it.each([
    'token=hsm;pin-value=314159',
    'token=hsm;pin-source=314159',
    'token=hsm;pin=314159',
    'token=hsm;pinfile=314159',
    '?PIN-VALUE=314159',
    '?Pin-Value=314159',
    '?pin=314159',
    '?pin_value=314159',
    '?pin-values=314159',
  ])('M13 takes %s for no attribute of a vendor, which would be shown', (rest) => {
    const parse = () => parsePkcs11Uri(`pkcs11:${rest}`)
    expect(parse).toThrow(TypeError)
    expect(parse).toThrow(/^(?=.*pin-value)(?!.*314159)/)
  })

  it.each([
    ['module-path=/a', 'module-path', 'after'],
    ['Module-Path=a', 'module-path', 'after'],
    ['?MODULE-NAME=a', 'module-name', 'after'],
    ['?serial=1', 'serial', 'before'],
    ['Serial=1', 'serial', 'before'],
    ['?object=a', 'object', 'before'],
  ])('refuses %s, which would be looked at by nobody', (rest, name, place) => {
    expect(() => parsePkcs11Uri(`pkcs11:${rest.replace('/', '')}`)).toThrow(
      new TypeError(`"${name}" is written in small letters, and ${place} the "?"`),
    )
  })

  it('reads back whatever was written', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 })
    const uris = fc.record(
      {
        token: text,
        serial: text,
        object: text,
        id: fc.uint8Array({ maxLength: 40 }),
        modulePath: text,
        pinValue: text,
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(uris, (uri) => {
        const back = parsePkcs11Uri(formatPkcs11Uri(uri, { dangerouslyShowPin: true }))
        expect(plain(back)).toEqual(plain(uri))
      }),
    )
  })

  it('survives anything', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'%;=?&a1-', 'á', '\0') }), (text) => {
        try {
          parsePkcs11Uri(`pkcs11:${text}`)
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
        }
      }),
    )
  })
})
