import { createSign, generateKeyPairSync, verify } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { ecdsaDer } from '../src/internal/ecdsa-der.ts'

describe('ecdsaDer', () => {
  it.each([
    ['0001 0002', '3006020101020102'],
    ['0000 0002', '3006020100020102'],
    ['0080 007f', '300702020080 02017f'],
    ['ffff 8000', '300a020300ffff 0203008000'],
    [`${'ff'.repeat(66)}${'ff'.repeat(66)}`, `30818a0243 00${'ff'.repeat(66)} 0243 00${'ff'.repeat(66)}`],
  ])('is as short as can be: %s', (raw, der) => {
    const plain = (text: string): string => text.replaceAll(' ', '')
    expect(Buffer.from(ecdsaDer(Buffer.from(plain(raw), 'hex'))).toString('hex')).toBe(plain(der))
  })

  it.each(['prime256v1', 'secp384r1', 'secp521r1'])('gives what Node takes, on %s', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (message) => {
        const raw = createSign('sha256').update(message).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' })
        expect(verify('sha256', message, publicKey, ecdsaDer(raw))).toBe(true)
      }),
    )
  })
})
