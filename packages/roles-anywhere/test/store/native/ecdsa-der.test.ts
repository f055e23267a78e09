import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { ecdsaDer } from '../../../src/store/native/ecdsa-der.ts'

describe('ecdsaDer', () => {
  it.each([
    ['0102', '3006020101020102'],
    ['80ff', '3008020200800202' + '00ff'],
    ['0001007f', '300602010102017f'],
    ['0000', '3006020100020100'],
  ])('S15: writes %s as %s', (raw, der) => {
    expect(Buffer.from(ecdsaDer(Buffer.from(raw, 'hex'))).toString('hex')).toBe(der)
  })

  it.each(['prime256v1', 'secp384r1', 'secp521r1'])('S15: what it writes verifies: %s', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    for (let i = 0; i < 50; i++) {
      const message = Buffer.from([i])
      const raw = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      expect(verify('sha256', message, publicKey, ecdsaDer(raw))).toBe(true)
    }
  })
})
