import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { ENVELOPE_FORMAT, formatEnvelope, parseEnvelope } from '../src/envelope.ts'

const ENVELOPE = {
  kms: 'aws-kms',
  keyId: 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  context: { purpose: 'sigv4' },
  ciphertext: Uint8Array.of(1, 2, 3),
  knownAnswer: '0123456789abcdef0123456789abcdef',
}
const FIELDS = JSON.parse(formatEnvelope(ENVELOPE)) as Record<string, unknown>

describe('parseEnvelope', () => {
  it('reads what formatEnvelope wrote', () => {
    expect(formatEnvelope(ENVELOPE)).toMatch(/\n$/)
    const { ciphertext, ...rest } = parseEnvelope(formatEnvelope(ENVELOPE))
    expect({ ...rest, ciphertext: [...ciphertext] }).toEqual({ ...ENVELOPE, ciphertext: [1, 2, 3] })
    expect(FIELDS.format).toBe(ENVELOPE_FORMAT)
  })

  it.each([
    ['format', undefined],
    ['format', 'hardbound-wrapped-hmac-key/v2'],
    ['more', 1],
    ['kms', ''],
    ['kms', 'a b'],
    ['keyId', 7],
    ['context', []],
    ['context', { a: 1 }],
    ['context', null],
    ['ciphertext', ''],
    ['ciphertext', 'AQI'],
    ['ciphertext', 'AQI_'],
    ['ciphertext', undefined],
    ['knownAnswer', undefined],
    ['knownAnswer', 'ABCDEF0123456789abcdef0123456789'],
  ])('refuses "%s": %j', (name, value) => {
    expect(() => parseEnvelope(JSON.stringify({ ...FIELDS, [name]: value }))).toThrow(
      expect.objectContaining({ name: 'HmacBackendError', code: 'ERR_HMAC_KEY' }),
    )
  })

  it('refuses anything else with the same error', () => {
    const refused = expect.objectContaining({ code: 'ERR_HMAC_KEY' })
    expect(() => parseEnvelope(' '.repeat(16_385))).toThrow(refused)
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => expect(() => parseEnvelope(text)).toThrow(refused)),
    )
  })
})
