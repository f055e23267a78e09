import { describe, expect, it } from '@jest/globals'
import { decodeUnverified } from '../src/index.ts'
import { base64url, makeKey, signToken, workload } from './helpers.ts'

const failing = (check: string): unknown => expect.objectContaining({ code: 'ERR_ATTESTATION_REJECTED', check })

describe('decodeUnverified', () => {
  it('gives header and payload of any token, signed or not', () => {
    const token = signToken(workload(), makeKey('one'), { alg: 'none', jwk: {} })
    expect(decodeUnverified(token)).toEqual({
      header: { alg: 'none', kid: 'one', typ: 'JWT', jwk: {} },
      payload: workload(),
    })
  })

  it.each([
    ['jwt.size', 'x'.repeat(16_385)],
    ['jwt.format', 'a.b'],
    ['jwt.encoding', 'e30=.e30.'],
    ['jwt.duplicate_key', `e30.${base64url('{"a":1,"a":2}')}.`],
    ['jwt.depth', `e30.${base64url('['.repeat(17))}.`],
    ['jwt.payload', `e30.${base64url('[]')}.`],
    ['jwt.header', `${base64url('[]')}.e30.`],
    ['jwt.header', '.e30.'],
  ])('refuses by %s', (check, token) => {
    expect(() => decodeUnverified(token)).toThrow(failing(check))
  })
})
