import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type KeyFile, readKeyFile, writeKeyFile } from '../src/key-file.ts'
import vectors from './vectors/key-files.json' with { type: 'json' }

const octetsOf = (pem: string) => Buffer.from(pem.replace(/-----.*?-----/g, ''), 'base64')
const pemOf = (octets: Uint8Array) =>
  `-----BEGIN TSS2 PRIVATE KEY-----\n${Buffer.from(octets).toString('base64')}\n-----END TSS2 PRIVATE KEY-----\n`
const refused = expect.objectContaining({ code: 'ERR_TPM_KEY_FILE' })
const codes = (policy: KeyFile['policy']) => policy?.map((it) => it.commandCode)

describe.each(vectors.cases)('$name', ({ pem, der, expected }) => {
  const key = readKeyFile(pem)

  it('is read', () => {
    expect(key.type).toBe('loadable')
    expect(Buffer.from(key.public).readUInt16BE(2)).toBe(expected.algorithm)
    const { emptyAuth, parent, description, policy, authPolicy } = key
    const seen = {
      ...(emptyAuth !== undefined && { emptyAuth }),
      parent,
      algorithm: expected.algorithm,
      ...(description && { description }),
      ...(policy && { policy: codes(policy) }),
      ...(authPolicy && { authPolicy: authPolicy.map((it) => ({ name: it.name, policy: codes(it.policy) })) }),
    }
    expect(seen).toEqual(expected)
  })
  it('is written as it was', () => {
    expect(readKeyFile(writeKeyFile(key))).toEqual(key)
    if (der) expect(writeKeyFile(key)).toBe(pem)
  })
})

describe('readKeyFile', () => {
  const { pem } = vectors.cases[2]!
  const whole = octetsOf(pem)

  it('M04 refuses a file cut off at any octet, or with one more', () => {
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => readKeyFile(pemOf(whole.subarray(0, length)))).toThrow(refused)
    }
    expect(() => readKeyFile(pemOf(Buffer.concat([whole, Buffer.of(0)])))).toThrow(refused)
  })
  it('M04 survives any octet changed, and then never reads what it would not write', () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const octets = Uint8Array.from(whole)
        octets[at]! ^= change
        let key: KeyFile
        try {
          key = readKeyFile(pemOf(octets))
        } catch (error) {
          return expect(error).toEqual(refused)
        }
        expect(readKeyFile(writeKeyFile(key))).toEqual(key)
      }),
      { numRuns: 500 },
    )
  })
  it.each([
    ['another PEM', '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n'],
    ['two keys', pem + pem],
    ['nothing', ''],
    ['a very long file', ' '.repeat(40_000) + pem],
    ['base64 with bits left over', vectors.cases[1]!.pem.replace('tA==', 'tB==')],
    ['a length that needs fewer octets', pemOf(Buffer.from('3081020500', 'hex'))],
    ['an unknown type', pemOf(Buffer.from('300806066781050a0109', 'hex'))],
  ])('refuses %s', (_, text) => {
    expect(() => readKeyFile(text)).toThrow(refused)
  })
})

const blob = (length: number, fill: number) =>
  Buffer.concat([Buffer.from([length >> 8, length & 0xff]), Buffer.alloc(length, fill)])
const simple: KeyFile = { type: 'loadable', parent: 0x40000001, public: blob(60, 1), private: blob(200, 2) }

describe('writeKeyFile', () => {
  it('keeps every field', () => {
    const key: KeyFile = {
      type: 'importable',
      emptyAuth: true,
      parent: 0x81010001,
      rsaParent: true,
      public: new Uint8Array(blob(60, 1)),
      private: new Uint8Array(blob(300, 2)),
      secret: new Uint8Array(blob(34, 3)),
      policy: [{ commandCode: 0x17f, commandPolicy: Uint8Array.of(1, 2) }],
      authPolicy: [
        { name: 'münchen', policy: [{ commandCode: 0x80000001, commandPolicy: new Uint8Array() }] },
        { policy: [] },
      ],
      description: 'of example.com',
    }
    expect(readKeyFile(writeKeyFile(key))).toEqual(key)
  })
  it.each([
    ['a seed where nothing is imported', { ...simple, secret: blob(34, 3) }],
    ['an importable key without a seed', { ...simple, type: 'importable' as const }],
    ['a TPM2B whose size is wrong', { ...simple, private: Buffer.alloc(40) }],
    ['more than a reader takes', { ...simple, private: blob(30_000, 1) }],
  ])('refuses %s', (_, key) => {
    expect(() => writeKeyFile(key)).toThrow(refused)
  })
  it('writes every handle', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (parent) => {
        expect(readKeyFile(writeKeyFile({ ...simple, parent })).parent).toBe(parent)
      }),
    )
  })
})
