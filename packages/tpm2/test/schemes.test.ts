import { describe, expect, it } from '@jest/globals'
import type { EccPublicArea, PublicArea, RsaPublicArea } from '../src/public-area.ts'
import { assertScheme, assertSigningKey, fixedScheme, type SigningArea } from '../src/signing/schemes.ts'
import type { SignatureScheme } from '../src/signing/signing-key.ts'

const COMMON = { nameAlg: 'sha256', attributes: ['sign'], authPolicy: new Uint8Array() } as const
const RSA: RsaPublicArea = { type: 'rsa', ...COMMON, keyBits: 2048, exponent: 0, modulus: new Uint8Array(256) }
const ECC: EccPublicArea = { type: 'ecc', ...COMMON, curve: 'p256', x: new Uint8Array(32), y: new Uint8Array(32) }

describe('assertSigningKey', () => {
  it.each<[string, SigningArea]>([
    ['an RSA key', RSA],
    ['an ECC key', ECC],
    ['one that decrypts as well', { ...RSA, attributes: ['sign', 'decrypt'] }],
    ['one with a scheme', { ...ECC, scheme: { scheme: 'ecdsa', hash: 'sha512' } }],
  ])('takes %s', (_, area) => {
    expect(() => assertSigningKey(area)).not.toThrow()
  })
  it.each<[string, PublicArea]>([
    ['sealed data', { type: 'keyedhash', ...COMMON, unique: new Uint8Array(32) }],
    ['a key that may not sign', { ...RSA, attributes: ['decrypt'] }],
    ['a restricted key', { ...RSA, attributes: ['sign', 'restricted'] }],
    ['a key for TPM2_CertifyX509', { ...ECC, attributes: ['sign', 'x509sign'] }],
    ['a short key', { ...RSA, keyBits: 1024 }],
    ['SHA-1', { ...RSA, scheme: { scheme: 'rsassa', hash: 'sha1' } }],
    ['ECDAA', { ...ECC, scheme: { scheme: 'ecdaa', hash: 'sha256', count: 1 } }],
    ['an encryption scheme', { ...RSA, scheme: { scheme: 'rsaes' } }],
  ])('M11 refuses %s', (_, area) => {
    expect(() => assertSigningKey(area)).toThrow(expect.objectContaining({ code: 'ERR_TPM_KEY' }))
  })
})

describe('assertScheme', () => {
  const asked = (scheme: SignatureScheme['scheme'], hash: SignatureScheme['hash']): SignatureScheme => ({
    scheme,
    hash,
  })
  const fixed = { ...RSA, scheme: { scheme: 'rsapss', hash: 'sha384' } } as const

  it('lets a key whose scheme is null sign in all ways of its type', () => {
    expect(fixedScheme(RSA)).toBeUndefined()
    for (const scheme of ['rsassa-pkcs1-v1_5', 'rsassa-pss'] as const) assertScheme(RSA, asked(scheme, 'sha512'))
    assertScheme(ECC, asked('ecdsa', 'sha384'))
  })
  it('lets a key with a scheme sign in that way', () => {
    expect(fixedScheme(fixed)).toEqual(asked('rsassa-pss', 'sha384'))
    assertScheme(fixed, asked('rsassa-pss', 'sha384'))
  })
  it.each<[string, SigningArea, SignatureScheme]>([
    ['ECDSA of an RSA key', RSA, asked('ecdsa', 'sha256')],
    ['RSA of an ECC key', ECC, asked('rsassa-pss', 'sha256')],
    ["another scheme than the key's", fixed, asked('rsassa-pkcs1-v1_5', 'sha384')],
    ["another hash than the key's", fixed, asked('rsassa-pss', 'sha256')],
  ])('refuses %s', (_, area, scheme) => {
    expect(() => assertScheme(area, scheme)).toThrow(expect.objectContaining({ code: 'ERR_TPM_SCHEME' }))
  })
})
