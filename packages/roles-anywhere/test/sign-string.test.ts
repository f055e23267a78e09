import { createHash, createPublicKey, generateKeyPairSync, sign, verify, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { signTestString, testMessage } from '../src/sign-string.ts'
import { type OpensslFolder, opensslFolder } from './openssl-certificate.ts'
import vectors from './vectors/roles-anywhere-vectors.json' with { type: 'json' }

const TEXT = 'AWS Roles Anywhere Credential Helper Signing Test1'
const leaf = new X509Certificate(vectors.certPem)
const key = { sign: async (message: Uint8Array, hash: string) => sign(hash, message, vectors.keyPem) }

let folder: OpensslFolder
beforeAll(async () => {
  folder = await opensslFolder()
})
afterAll(() => folder.remove())

const message = (publicKey: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(TEXT), createHash('sha256').update('IAM RA').update(publicKey).digest()])

describe('testMessage', () => {
  it('ends with the digest of an RSA key', () => {
    const publicKey = leaf.publicKey.export({ type: 'pkcs1', format: 'der' })
    expect(testMessage(leaf.raw)).toEqual(message(publicKey))
  })

  it.each(['uncompressed', 'compressed'])('ends with the digest of the point of an EC key: %s', async (form) => {
    const curve = ['-pkeyopt', 'ec_paramgen_curve:prime256v1', '-pkeyopt', `point_conversion_form:${form}`]
    const { keyFile, name } = await folder.certificate({ newkey: ['ec', ...curve.slice(0, 2)] })
    await folder.run('ec', '-in', keyFile, '-conv_form', form, '-out', `${name}.${form}`)
    const arguments_ = ['-key', `${name}.${form}`, '-subj', '/CN=a', '-out', `${name}.pem`]
    await folder.run('req', '-x509', '-new', ...arguments_)
    const certificate = new X509Certificate(await folder.run('x509', '-in', `${name}.pem`))
    const { x, y } = certificate.publicKey.export({ format: 'jwk' })
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')])
    expect(testMessage(certificate.raw)).toEqual(message(point))
  })

  it('takes the public key itself too', () => {
    expect(testMessage(leaf.publicKey)).toEqual(testMessage(leaf.raw))
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const { x, y } = publicKey.export({ format: 'jwk' })
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')])
    expect(testMessage(publicKey)).toEqual(message(point))
  })

  it('M: refuses a public key that can not be read', async () => {
    const { der } = await folder.certificate()
    const damaged = Buffer.from(der)
    damaged[damaged.indexOf(Buffer.from('03420004', 'hex')) + 3] = 5
    expect(() => testMessage(damaged)).toThrow(expect.objectContaining({ code: 'ERR_RA_CERTIFICATE' }))
  })

  it('is the text alone where no public key is known', () => {
    expect(Buffer.from(testMessage()).toString()).toBe(vectors.mldsa_signString_fixed.message)
  })
})

describe('signTestString', () => {
  it.each(['sha256', 'sha384', 'sha512'] as const)('signs by %s', async (digest) => {
    const signature = await signTestString({ key, certificate: leaf.raw, digest, format: 'bin' })
    expect(verify(digest, testMessage(leaf.raw), createPublicKey(vectors.certPem), signature)).toBe(true)
  })

  it('signs the same for the public key alone', async () => {
    const bin = { key, format: 'bin' } as const
    const [byCertificate, byKey] = await Promise.all([
      signTestString({ ...bin, certificate: leaf.raw }),
      signTestString({ ...bin, publicKey: leaf.publicKey }),
    ])
    expect(byKey).toEqual(byCertificate)
  })

  it('comes out in three forms, without a line feed', async () => {
    const [bin, text, json] = await Promise.all(
      (['bin', 'text', undefined] as const).map((format) => signTestString({ key, certificate: leaf.raw, format })),
    )
    const hex = Buffer.from(bin!).toString('hex')
    expect(Buffer.from(text!).toString()).toBe(hex)
    expect(Buffer.from(json!).toString()).toBe(`"${hex}"`)
  })

  it('signs the text alone without a certificate', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const ec = { sign: async (it: Uint8Array, hash: string) => sign(hash, it, privateKey) }
    const signature = await signTestString({ key: ec, format: 'bin' })
    expect(verify('sha256', Buffer.from(TEXT), publicKey, signature)).toBe(true)
  })
})
