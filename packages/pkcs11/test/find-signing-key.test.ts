import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from '@jest/globals'
import type { Pkcs11Error } from '../src/index.ts'
import { rejection } from './helpers.ts'
import {
  answerAttributes,
  certified,
  EC,
  ES256,
  isGood,
  keygen,
  MESSAGE,
  PS256,
  path,
  softHsm,
  start,
  uriWith,
  write,
} from './signing-token.ts'

/** Some point on P-256: x and y. */
const POINT = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  .publicKey.export({ type: 'spki', format: 'der' })
  .subarray(-64)

/** SubjectPublicKeyInfo on P-256 (RFC 5480, section 2); SEC 1, section 2.3.3: one octet 00 is the point at infinity. */
const POINT_AT_INFINITY = Buffer.from('3019301306072a8648ce3d020106082a8648ce3d03010703020000', 'hex')
/** And of DSA (RFC 3279, section 2.3.2): p = 23, q = 11, g = 2, y = -1. */
const NEGATIVE_DSA = Buffer.from('301c301406072a8648ce380401300902011702010b0201020304000201ff', 'hex')

describe('the public key', () => {
  it('needs no public key beside an RSA key: its own attributes tell it', async () => {
    await keygen('rsa:2048', '11', 'alone')
    await softHsm.tool('--delete-object', '--type', 'pubkey', '--label', 'alone')
    const key = await start('alone')
    expect(isGood(key, PS256, await key.sign(MESSAGE, PS256))).toBe(true)
  })

  it('takes CKA_PUBLIC_KEY_INFO, and a CKA_EC_POINT without its OCTET STRING', async () => {
    const { publicKey } = await start('p256')
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    for (const [type, value] of [
      [0x129, spki],
      [0x181, spki.subarray(-65)],
    ] as const) {
      answerAttributes(
        new Map([
          [0x129, undefined],
          [0x181, undefined],
          [type, value],
        ]),
      )
      expect((await start('p256')).publicKey.equals(publicKey)).toBe(true)
    }
  })

  it.each([
    ['no point', Buffer.from('0401', 'hex')],
    ['a compressed point', Buffer.concat([Buffer.of(0x04, 0x21, 0x02), Buffer.alloc(32, 1)])],
    ['a point off the curve', Buffer.concat([Buffer.of(0x04, 0x41, 0x04), Buffer.alloc(64, 1)])],
    ['a point in another form', Buffer.concat([Buffer.of(0x04, 0x41, 0x06), POINT])],
    ['a point that is no OCTET STRING', Buffer.concat([Buffer.of(0x05, 0x41, 0x04), POINT])],
    ['a point with an octet after it', Buffer.concat([Buffer.of(0x04, 0x41, 0x04), POINT, Buffer.of(0)])],
  ])('refuses %s', async (_, value) => {
    answerAttributes(new Map([[0x181, value]]))
    await expect(start('p256')).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' })
  })
})

describe('which keys are refused', () => {
  it('M11 none, and several: by their ids', async () => {
    await keygen('EC:prime256v1', '21', 'twice')
    await keygen('EC:prime256v1', '22ff', 'twice')
    await expect(start('none')).rejects.toMatchObject({
      code: 'ERR_PKCS11_OBJECT',
      message: 'no private with label "none"',
    })
    const error = await rejection<Pkcs11Error>(start('twice'))
    expect(error.code).toBe('ERR_PKCS11_OBJECT')
    expect(error.message).toMatch(/^2 objects are a private with label "twice": ids (21, 22ff|22ff, 21)$/)
    await start('', { uri: uriWith('object=twice;id=%21') })
  })

  it('M11 one that can be taken out of the token, unless that is allowed', async () => {
    await write('imported.key.der', 'privkey', '23', 'open', '--usage-sign', '--extractable')
    await write('imported.der', 'cert', '23', 'open')
    const error = await rejection<Pkcs11Error>(start('open'))
    expect(error).toMatchObject({ code: 'ERR_PKCS11_KEY', message: expect.stringContaining('CKA_') })
    const key = await start('open', { dangerouslyAllowExtractable: true })
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
  })

  it('M11 one that is too short, of an unknown curve, or of another kind', async () => {
    await keygen('rsa:1024', '24', 'short')
    await keygen('EC:secp256k1', '25', 'koblitz')
    for (const [label, why] of [
      ['short', '1024 bits'],
      ['koblitz', 'curve'],
    ] as const) {
      const expected = { code: 'ERR_PKCS11_KEY', message: expect.stringContaining(why) }
      await expect(start(label)).rejects.toMatchObject(expected)
    }
    answerAttributes(new Map([[0x100, Buffer.of(0x40, 0, 0, 0)]]))
    await expect(start('p256')).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' })
    answerAttributes(new Map([[0x100, Buffer.alloc(8)]]))
    const expected = { code: 'ERR_PKCS11_KEY', message: expect.stringContaining('different types') }
    await expect(start('p256')).rejects.toMatchObject(expected)
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    const info = publicKey.export({ type: 'spki', format: 'der' })
    answerAttributes(
      new Map([
        [0x129, info],
        [0x181, undefined],
      ]),
    )
    const curve = { code: 'ERR_PKCS11_KEY', message: expect.stringContaining('curve') }
    await expect(start('p256')).rejects.toMatchObject(curve)
  })

  it.each([
    ['CKA_SIGN', 0x108, 0, false],
    ['CKA_SENSITIVE', 0x103, 0, true],
    ['CKA_EXTRACTABLE', 0x162, 1, true],
    ['CKA_PRIVATE', 0x2, 0, true],
  ])('M11 by %s, also where the token does not have it', async (name, type, bad, allowed) => {
    for (const value of [Buffer.of(bad), undefined]) {
      answerAttributes(new Map([[type, value]]))
      const expected = { code: 'ERR_PKCS11_KEY', message: expect.stringContaining(name) }
      await expect(start('p256')).rejects.toMatchObject(expected)
      const dangerously = start('p256', { dangerouslyAllowExtractable: true })
      if (allowed) await dangerously
      else await expect(dangerously).rejects.toMatchObject(expected)
    }
  })

  it('M11 one without a public key anywhere', async () => {
    await keygen('EC:prime256v1', '26', 'lonely')
    await softHsm.tool('--delete-object', '--type', 'pubkey', '--label', 'lonely')
    const expected = { code: 'ERR_PKCS11_KEY', message: expect.stringContaining('neither') }
    await expect(start('lonely')).rejects.toMatchObject(expected)
  })

  it('M11 M15 takes the certificate that the caller has, for one without a public key and for one with several', async () => {
    await certified('own', ...EC)
    await certified('own-renewed', '-key', path('own.pem'))
    await certified('strange', ...EC)
    await certified('strange-rsa', '-newkey', 'rsa:2048')
    await write('own.key.der', 'privkey', '2e', 'own', '--usage-sign', '--sensitive')
    const given = async (name: string) => ({ certificate: await readFile(path(`${name}.der`)) })
    const key = await start('own', await given('own'))
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
    const strange = await start('own', await given('strange')) // nothing in the token says that it is not the key's
    await expect(strange.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_SIGNATURE' })
    await expect(start('own', await given('strange-rsa'))).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' })

    await write('own.der', 'cert', '2e', 'own')
    await write('own-renewed.der', 'cert', '2e', 'own renewed')
    const renewed = await start('own', await given('own-renewed'))
    expect(Buffer.from(renewed.certificate!)).toEqual(await readFile(path('own-renewed.der')))
    await expect(start('own', await given('strange'))).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' })
    await expect(start('own', { certificate: new Uint8Array(3) })).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' })
  })

  it.each([
    ['a point at infinity', 'infinite', '2f', POINT_AT_INFINITY, 'curve'],
    ['a damaged DSA key', 'negative', '31', NEGATIVE_DSA, 'different types'],
  ])('M11 a certificate for %s, whose details Node 20 dies of', async (_, name, id, spki, message) => {
    await certified(name, ...EC)
    await write(`${name}.key.der`, 'privkey', id, name, '--usage-sign', '--sensitive')
    const certificate = withPublicKey(await readFile(path(`${name}.der`)), spki)
    await expect(start(name, { certificate })).rejects.toMatchObject({
      code: 'ERR_PKCS11_KEY',
      message: expect.stringContaining(message),
    })
  })

  it('M11 one beside which lies what is not its own', async () => {
    await certified('other', ...EC)
    await certified('rsa-other', '-newkey', 'rsa:2048')
    await keygen('EC:prime256v1', '27', 'mixed')
    await keygen('rsa:2048', '28', 'rsa-mixed')
    await write('other.der', 'cert', '27', 'mixed')
    await write('rsa-other.der', 'cert', '28', 'rsa-mixed')
    await softHsm.tool('--delete-object', '--type', 'pubkey', '--label', 'rsa-mixed') // CKA_MODULUS is there still
    const expected = { code: 'ERR_PKCS11_KEY', message: expect.stringContaining('do not belong together') }
    await expect(start('mixed')).rejects.toMatchObject(expected)
    await expect(start('rsa-mixed')).rejects.toMatchObject(expected)
  })

  it('M15 one whose signatures its public key does not verify', async () => {
    await keygen('EC:prime256v1', '29', 'crafted')
    await softHsm.tool('--delete-object', '--type', 'pubkey', '--label', 'crafted')
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    await writeFile(path('crafted.pub'), publicKey.export({ type: 'spki', format: 'der' }))
    await write('crafted.pub', 'pubkey', '29', 'crafted')
    const key = await start('crafted')
    expect(key.publicKey.equals(publicKey)).toBe(true)
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_SIGNATURE' })
  })

  it('two certificates beside a key, unless one is named', async () => {
    await certified('renewed', '-key', path('imported.pem')) // with the same key
    await write('imported.key.der', 'privkey', '2a', 'renewed', '--usage-sign', '--sensitive')
    await write('imported.der', 'cert', '2a', 'old')
    await write('renewed.der', 'cert', '2a', 'new')
    const error = await rejection<Pkcs11Error>(start('renewed'))
    expect(error.code).toBe('ERR_PKCS11_OBJECT')
    expect(error.message).toMatch(/type=cert.*"(old|new)", "(old|new)"/)
    const key = await start('', { uri: uriWith('object=new;type=cert') })
    expect(Buffer.from(key.certificate!)).toEqual(await readFile(path('renewed.der')))
  })

  it('a certificate without a key, without an id, or that can not be read', async () => {
    await write('imported.der', 'cert', '2c', 'keyless')
    await softHsm.tool('--write-object', path('imported.der'), '--type', 'cert', '--label', 'nameless')
    const uri = (label: string) => ({ uri: uriWith(`object=${label};type=cert`) })
    await expect(start('', uri('keyless'))).rejects.toMatchObject({ code: 'ERR_PKCS11_OBJECT' })
    await expect(start('', uri('nameless'))).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' })
    await expect(start('', uri('absent'))).rejects.toMatchObject({ code: 'ERR_PKCS11_OBJECT' })
    await softHsm.tool('--keypairgen', '--key-type', 'rsa:2048', '--label', 'idless', '--usage-sign')
    expect(await start('idless')).not.toHaveProperty('certificate') // an empty id is nobody's
    answerAttributes(new Map([[0x11, Buffer.of(0x30, 0)]]))
    await expect(start('imported')).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' })
  })

  it.each([
    'pkcs11:token=hardbound',
    'pkcs11:object=a;type=secret-key',
    'pkcs11:object=a;type=public',
    'https://example.com',
  ])('%s, which names none', async (uri) => {
    await expect(start('', { uri })).rejects.toThrow(TypeError)
  })
})

/** A copy of a certificate on P-256 with another, shorter public key in it. */
function withPublicKey(certificate: Buffer, shorter: Buffer): Buffer {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  const at = certificate.indexOf(spki)
  const copy = Buffer.concat([certificate.subarray(0, at), shorter, certificate.subarray(at + spki.length)])
  for (const length of [2, 6]) copy.writeUInt16BE(copy.readUInt16BE(length) + shorter.length - spki.length, length)
  return copy
}
