import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { ecdsaDer } from '../src/signing/ecdsa-der.ts'
import { hex, unhex } from './helpers.ts'

describe('ecdsaDer', () => {
  it.each([
    ['small numbers', '0001' + '007f', '3006 0201 01 0201 7f'],
    ['a zero before what would be negative', '0080' + 'ff00', '3009 0202 0080 0203 00ff00'],
    ['zero', '0000' + '0001', '3006 0201 00 0201 01'],
  ])('writes %s in the shortest form', (_, sideBySide, expected) => {
    expect(hex(ecdsaDer(unhex(sideBySide)))).toBe(expected.replaceAll(' ', ''))
  })
  it.each(['prime256v1', 'secp384r1', 'secp521r1'])('is what node:crypto takes, of %s', (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    const publicKey = createPublicKey(privateKey)
    for (let round = 0; round < 50; round += 1) {
      const message = Buffer.from(`${round}`)
      const sideBySide = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      expect(verify('sha256', message, publicKey, ecdsaDer(sideBySide))).toBe(true)
    }
  })
})
