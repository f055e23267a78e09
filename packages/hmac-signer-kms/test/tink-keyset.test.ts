import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { readProto } from '../src/internal/protobuf.ts'
import { parseEncryptedTinkKeyset, primaryHmacKey } from '../src/tink-keyset.ts'
import { hex, KEY } from './helpers.ts'

const field = (number: number, octets: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([number * 8 + 2, octets.length]), octets])
const varint = (number: number, value: number): Buffer => Buffer.from([number * 8, value])
const HMAC_KEY = Buffer.concat([field(2, Buffer.concat([varint(1, 3), varint(2, 32)])), field(3, KEY)])
const dataOf = (value: Uint8Array, type = 'type.googleapis.com/google.crypto.tink.HmacKey', kind = 1): Buffer =>
  Buffer.concat([field(1, Buffer.from(type)), field(2, value), varint(3, kind)])
const keyOf = (data: Uint8Array): Buffer => Buffer.concat([field(1, data), varint(2, 1), varint(3, 9), varint(4, 3)])
const keysetOf = (key: Buffer): Buffer => {
  const [high, low] = [key.length >> 7, (key.length & 127) | 128]
  return Buffer.concat([varint(1, 9), Buffer.from([0x12, low, high]), key])
}
const KEYSET = keysetOf(keyOf(dataOf(HMAC_KEY)))

const refused = (octets: Uint8Array): string => {
  try {
    primaryHmacKey(octets)
    return ''
  } catch (error) {
    expect(error).toBeInstanceOf(HmacBackendError)
    expect((error as HmacBackendError).code).toBe('ERR_HMAC_KEY')
    return (error as Error).message
  }
}

describe('primaryHmacKey', () => {
  it('gives a copy of the key', () => {
    const keyset = Buffer.from(KEYSET)
    const key = primaryHmacKey(keyset, 9)
    keyset.fill(0)
    expect(hex(key)).toBe(KEY.toString('hex'))
  })

  it('M04 refuses a keyset cut off anywhere', () => {
    for (let length = 0; length < KEYSET.length; length++) expect(refused(KEYSET.subarray(0, length))).not.toBe('')
  })

  it('M04 never does anything but give a key or refuse', () => {
    fc.assert(
      fc.property(fc.nat(KEYSET.length - 1), fc.nat(255), (at, octet) => {
        const changed = Buffer.from(KEYSET)
        changed[at] = octet
        refused(changed)
      }),
      { numRuns: 5000 },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => expect(refused(octets)).not.toBe('')))
  })

  it.each([
    ['a trailing octet', Buffer.concat([KEYSET, Buffer.of(0)])],
    ['an unknown field', Buffer.concat([KEYSET, varint(3, 1)])],
    ['a field of another kind', Buffer.concat([field(1, KEY), KEYSET])],
    ['another type', keysetOf(keyOf(dataOf(HMAC_KEY, 'type.googleapis.com/google.crypto.tink.AesGcmKey')))],
    ['an asymmetric key', keysetOf(keyOf(dataOf(HMAC_KEY, undefined, 2)))],
    ['a later version', keysetOf(keyOf(dataOf(Buffer.concat([varint(1, 1), HMAC_KEY]))))],
  ])('refuses %s', (_, octets) => {
    expect(refused(octets)).not.toBe('')
  })

  it('refuses a file whose clear part is about another keyset', () => {
    expect(() => primaryHmacKey(KEYSET, 8)).toThrow('another keyset')
  })
})

describe('parseEncryptedTinkKeyset', () => {
  it.each([
    ['not JSON', '{', 'not a JSON object'],
    ['a list', '[]', 'not a JSON object'],
    ['too much', ' '.repeat(65_537), '64 KiB'],
    ['a cleartext keyset', '{"primaryKeyId":1,"key":[]}', 'not encrypted'],
    ['something else', '{"encryptedKeyset":"AA==","more":1}', 'not an EncryptedKeyset'],
    ['no ciphertext', '{}', 'base64'],
    ['an empty one', '{"encryptedKeyset":""}', 'base64'],
    ['one that is not base64', '{"encryptedKeyset":"A_A="}', 'base64'],
  ])('refuses %s', (_, json, message) => {
    expect(() => parseEncryptedTinkKeyset(json)).toThrow(message)
  })
  it('needs no clear part', () => {
    expect(parseEncryptedTinkKeyset('{"encryptedKeyset":"AQ=="}').primaryKeyId).toBeUndefined()
  })
})

describe('readProto', () => {
  it('reads varints up to 2^53, and octets', () => {
    expect(readProto(Buffer.from('0896011203616263', 'hex'))).toEqual([
      { number: 1, value: 150 }, // the example of the protobuf documentation
      { number: 2, value: Buffer.from('abc') },
    ])
    expect(readProto(Buffer.from('08ffffffffffffff0f', 'hex'))).toEqual([{ number: 1, value: Number.MAX_SAFE_INTEGER }])
  })
  it.each([
    ['a varint above 2^53', '08ffffffffffffff1f'],
    ['a varint of eleven octets', '0880808080808080808080808001'],
    ['fixed32', '0d00000000'],
    ['fixed64', '090000000000000000'],
    ['a group', '0b0c'],
    ['field 0', '0001'],
    ['a length beyond the end', '120461'],
    ['a length of 2^32', '12808080801061'],
  ])('refuses %s', (_, octets) => {
    expect(readProto(Buffer.from(octets, 'hex'))).toBeUndefined()
  })
  it('refuses more fields than any keyset has', () => {
    expect(readProto(Buffer.alloc(2002, Buffer.of(8, 1)))).toBeUndefined()
  })
})
