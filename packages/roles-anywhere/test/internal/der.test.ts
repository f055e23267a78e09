import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DER, derOid, derValue, readDer, readDerOne } from '../../src/internal/der.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

describe('readDer', () => {
  it('reads elements one after another, and leaves what is in them alone', () => {
    const [first, second, ...rest] = readDer(hex('3003020105' + '0c0161'))
    expect([first?.tag, second?.tag, rest]).toEqual([DER.sequence, 0x0c, []])
    expect(Buffer.from(first!.value).toString('hex')).toBe('020105')
    expect(Buffer.from(first!.raw).toString('hex')).toBe('3003020105')
    expect(readDer(hex(''))).toEqual([])
  })

  it.each([
    ['cut off in its contents', '0c0261'],
    ['cut off in its length', '0c82'],
    ['no length', '0c'],
    ['an indefinite length', '308000000000'],
    ['a length of five octets', '0c850000000001'],
    ['a length in long form that fits in short', '0c810161'],
    ['a length with a zero before it', `0c820081${'61'.repeat(0x81)}`],
    ['a tag of more than one octet', '1f8101'],
  ])('refuses %s', (_, octets) => {
    expect(() => readDer(hex(octets))).toThrow(SyntaxError)
  })

  it.each([127, 128, 255, 256, 65_536])('reads contents of %i octets', (length) => {
    const value = Buffer.alloc(length, 7)
    const size = length.toString(16).padStart(length > 255 ? (length > 65_535 ? 6 : 4) : 2, '0')
    const header =
      length < 128 ? hex(`04${size}`) : Buffer.concat([hex('04'), Buffer.from([0x80 + size.length / 2]), hex(size)])
    const [element] = readDer(Buffer.concat([header, value]))
    expect(Buffer.from(element!.value).equals(value)).toBe(true)
  })

  it('F: either reads any octets whole, or throws a SyntaxError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
        try {
          expect(Buffer.concat(readDer(octets).map(({ raw }) => raw)).equals(octets)).toBe(true)
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error
        }
      }),
    )
  })
})

describe('readDerOne and derValue', () => {
  it('refuse what follows, another tag, and nothing', () => {
    expect(Buffer.from(readDerOne(hex('020105'), DER.integer))).toEqual(hex('05'))
    expect(() => readDerOne(hex('02010500'), DER.integer)).toThrow('after its end')
    expect(() => readDerOne(hex('020105'), DER.sequence)).toThrow('tag 2 where 48')
    expect(() => derValue(undefined, DER.integer)).toThrow('missing')
  })
})

describe('derOid', () => {
  it.each([
    ['550403', '2.5.4.3'],
    ['2a864886f70d010901', '1.2.840.113549.1.9.1'],
    ['0992268993f22c640119', '0.9.2342.19200300.100.1.25'],
    ['883787ffffff7f', '2.999.2147483647'],
    ['4f', '1.39'],
    ['50', '2.0'],
  ])('reads %s', (octets, text) => {
    expect(derOid(hex(octets))).toBe(text)
  })

  it.each(['', '55048', '5580', '558001', '5590808080808001', '558880808000'])('refuses %j', (octets) => {
    expect(() => derOid(octets === '55048' ? hex('550480') : hex(octets))).toThrow(SyntaxError)
  })
})
