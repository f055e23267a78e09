import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { signString } from '../src/signing-helper/sign-string.ts'
import type { SignStringFlags } from '../src/signing-helper/types.ts'
import {
  codeOf,
  DIGESTS,
  type Digest,
  type Lab,
  makeLab,
  sha256,
  signStringFlags,
  vector,
} from './signing-helper-lab.ts'

const PASSWORD = 'password'
const ENCRYPTIONS: Readonly<Record<string, readonly string[]>> = {
  'aes-128-cbc': ['-v2', 'aes-128-cbc'],
  'aes-192-cbc': ['-v2', 'aes-192-cbc'],
  'aes-256-cbc': ['-v2', 'aes-256-cbc'],
  hmacWithSHA256: ['-v2prf', 'hmacWithSHA256'],
  hmacWithSHA384: ['-v2prf', 'hmacWithSHA384'],
  hmacWithSHA512: ['-v2prf', 'hmacWithSHA512'],
  scrypt: ['-scrypt'],
}
const OLD_3DES = ['-macalg', 'SHA1', '-certpbe', 'PBE-SHA1-3DES', '-keypbe', 'PBE-SHA1-3DES']
const PKCS12: Readonly<Record<string, readonly string[]>> = {
  '3DES': OLD_3DES,
  RC2: ['-legacy', '-macalg', 'SHA1', '-certpbe', 'PBE-SHA1-RC2-40', '-keypbe', 'PBE-SHA1-3DES'],
  AES: ['-macalg', 'SHA256', '-certpbe', 'AES-256-CBC', '-keypbe', 'AES-256-CBC'],
}
const ec = (curve: string) => ['ecparam', '-genkey', '-name', curve]
const rsa = (bits: number) => ['genrsa', '-traditional', String(bits)]
/** Key, the hash of its certificate's signature, and how to make it. */
const KEYS: readonly (readonly [name: string, hash: string, make: readonly string[]])[] = [
  ['ec-256', 'sha256', ec('prime256v1')],
  ['ec-384', 'sha384', ec('secp384r1')],
  ['ec-521', 'sha1', ec('secp521r1')],
  ['rsa-1024', 'md5', rsa(1024)],
  ['rsa-2048', 'sha256', rsa(2048)],
  ['rsa-4096', 'sha512', rsa(4096)],
]

const SEED_44 = 'a0d5de876367d062eaf76ae1a38358b6dec099cd5132ce03499b8d97415b23be'
const SEED_65 = '9f5b3f321c88b30e167ce4ecb6d5a54280532f7490bed914f5c12a61f40f1091'

let lab: Lab
const publicKeys = new Map<string, string>()
beforeAll(async () => {
  lab = await makeLab()
  for (const [name, hash, make] of KEYS) {
    const { openssl } = lab
    const key = (await openssl(...make)).toString()
    await lab.write(`${name}.key`, key)
    await openssl('pkcs8', '-topk8', '-nocrypt', '-in', `${name}.key`, '-out', `${name}-pkcs8.key`)
    for (const [kind, how] of Object.entries(ENCRYPTIONS)) {
      const files = ['-in', `${name}.key`, '-out', `${name}-${kind}.key`, '-passout', `pass:${PASSWORD}`]
      await openssl('pkcs8', '-topk8', ...files, ...how)
    }
    // No name at all, as upstream's have none.
    await openssl('req', '-x509', '-new', '-key', `${name}.key`, '-subj', '/', `-${hash}`, '-out', `${name}.crt`)
    const certificate = (await openssl('x509', '-in', `${name}.crt`)).toString()
    await lab.write(`${name}-key-first.pem`, key + certificate)
    await lab.write(`${name}-certificate-first.pem`, certificate + key)
    for (const [kind, how] of Object.entries(PKCS12)) {
      const files = ['-inkey', `${name}.key`, '-in', `${name}.crt`, '-out', `${name}-${kind}.p12`]
      await openssl('pkcs12', '-export', ...files, '-passout', 'pass:', ...how)
    }
    publicKeys.set(name, (await openssl('pkey', '-in', `${name}.key`, '-pubout')).toString())
  }
}, 120_000)
afterAll(() => lab?.remove())

const sign = (given: Partial<SignStringFlags>) => signString(signStringFlags(given))
const pair = (name: string, key = `${name}.key`) => ({ certificate: lab.at(`${name}.crt`), 'private-key': lab.at(key) })
/** Signs, and has OpenSSL look at it. */
async function isGood(name: string, given: Partial<SignStringFlags>, digest: Digest = 'SHA256'): Promise<boolean> {
  const signature = await sign({ ...given, digest, format: 'bin' })
  return lab.verifies(publicKeys.get(name) ?? '', digest, signature)
}

describe.each(KEYS.map(([name]) => name))('sign-string with a key of %s', (name) => {
  it.each(DIGESTS)('by %s, in three forms without a line feed', async (digest) => {
    const forms = ['json', 'text', 'bin'] as const
    const [json, text, bin] = await Promise.all(forms.map((format) => sign({ ...pair(name), digest, format })))
    expect(json?.toString()).toMatch(/^"(?:[0-9a-f]{2})+"$/)
    expect(text?.toString()).toMatch(/^(?:[0-9a-f]{2})+$/)
    const signatures = [Buffer.from(JSON.parse(String(json)) as string, 'hex'), Buffer.from(String(text), 'hex'), bin!]
    for (const it of signatures) expect(await lab.verifies(publicKeys.get(name) ?? '', digest, it)).toBe(true)
  })

  it('in PKCS #8, and alone', async () => {
    expect(await isGood(name, pair(name, `${name}-pkcs8.key`), 'SHA512')).toBe(true)
    expect(await isGood(name, { 'private-key': lab.at(`${name}.key`) })).toBe(true)
  })

  it.each(Object.keys(ENCRYPTIONS))('encrypted: %s', async (kind) => {
    const keys = pair(name, `${name}-${kind}.key`)
    expect(await isGood(name, { ...keys, 'pkcs8-password': PASSWORD }, 'SHA384')).toBe(true)
    expect(await codeOf(sign({ ...keys, 'pkcs8-password': 'hunter2' }), 'hunter2')).toContain('ERR_RA_PASSWORD')
  })

  it('in one file with its certificate, in any order', async () => {
    expect(await isGood(name, { certificate: lab.at(`${name}-key-first.pem`) })).toBe(true)
    expect(await isGood(name, { certificate: lab.at(`${name}-certificate-first.pem`) }, 'SHA512')).toBe(true)
  })

  it.each(Object.keys(PKCS12))('in PKCS #12 without a password: %s', async (kind) => {
    expect(await isGood(name, { certificate: lab.at(`${name}-${kind}.p12`) }, 'SHA384')).toBe(true)
  })
})

describe("sign-string with upstream's fixtures", () => {
  it.each([
    ['SHA256', '20004f9539f1b33186b640a2ff7f1bd6245c8c582a0929a5fa8e8c22fbec9307'],
    ['SHA384', '45eab921fa6518bfe11883e929ac2eeb996433d5f799bfbfa2966b142fa62233'],
    ['SHA512', '4c3d60368d8644f81756348a89044e3bdf8c3d83528ac1d81e1111f1bb5e2a50'],
  ] as const)('signs by %s with a key from ACM, whatever the certificate', async (digest, expected) => {
    const key = {
      'private-key': vector('acm-encrypted.pem'),
      'pkcs8-password': PASSWORD,
      digest,
      format: 'bin',
    } as const
    const warnings: string[] = []
    for (const certificate of ['', lab.at('rsa-2048.crt'), lab.at('ec-256.crt'), vector('mldsa44-cert.pem')]) {
      const flags = signStringFlags({ ...key, certificate })
      expect(sha256(await signString(flags, ({ message }) => warnings.push(message)))).toBe(expected)
    }
    expect(warnings).toHaveLength(3)
    expect(warnings[0]).toContain('rsa-2048.crt')
  })

  // What aws_signing_helper 1.8.4 printed for these files on 2026-11-22.
  it.each([
    [44, 'aes128cbc', 2420, 'ff6ff6905b664eff560a89a0e84e2b4382771afb4519ebeb9101c0cdc9862228'],
    [44, 'scrypt', 2420, 'ff6ff6905b664eff560a89a0e84e2b4382771afb4519ebeb9101c0cdc9862228'],
    [65, 'aes192cbc', 3309, '554ec3ef9e60768239c735d638b18c0da0c836c20575629780c89ccb0950e542'],
    [87, 'aes256cbc', 4627, 'd49637832a9828f90f4b4b3d1bf5893425407e4dfc28fa95861b069acf94c2e3'],
  ])('signs with ML-DSA-%i, plain and encrypted (%s), whatever the digest', async (set, kind, length, expected) => {
    const plain = { certificate: vector(`mldsa${set}-cert.pem`), 'private-key': vector(`mldsa${set}-key.pem`) }
    const encrypted = { 'private-key': vector(`mldsa${set}-key-pkcs8-${kind}.pem`), 'pkcs8-password': PASSWORD }
    for (const [at, digest] of DIGESTS.entries()) {
      const signature = await sign({ ...plain, ...(at > 0 && encrypted), digest, format: 'bin' })
      expect({ length: signature.length, sha256: sha256(signature) }).toEqual({ length, sha256: expected })
    }
  })

  // Seeds of the fixtures before release 1.8.1, and the signatures that the reference has of them.
  it.each([
    [44, SEED_44, '9f53963a72326b3b29c5c7b20a56e906ce9ae2a9f660027aae6601e254d5a4b6'],
    [65, SEED_65, '9f93e8b23b63c1fe687b4d9cbb2051147b644d3c3d7ac9740fb2c65c324a0af9'],
  ])('signs with the seed of an ML-DSA-%i key alone', async (set, seed, expected) => {
    const oid = `608648016503040${set === 44 ? '311' : '312'}`
    const info = Buffer.from(`3034020100300b0609${oid}04228020${seed}`, 'hex')
    const pem = `-----BEGIN PRIVATE KEY-----\n${info.toString('base64')}\n-----END PRIVATE KEY-----\n`
    const key = await lab.write(`seed-${set}.key`, pem)
    expect(sha256(await sign({ 'private-key': key, format: 'bin' }))).toBe(expected)
  })
})

describe('F18 sign-string refuses', () => {
  it.each([
    ['another password', 'hunter2'],
    ['a long one', 'x'.repeat(1000)],
    ['one of symbols', '!@#$%^&*()'],
    ['one that is not ASCII', 'pässwörd'],
  ])('%s', async (_, password) => {
    const keys = { ...pair('rsa-2048'), 'private-key': vector('acm-encrypted.pem'), 'pkcs8-password': password }
    expect(await codeOf(sign(keys), password)).toMatch(/^ERR_RA_PASSWORD: the password of .+ is wrong$/)
  })

  it('a password for a key that has none', async () => {
    const keys = { ...pair('ec-256'), 'pkcs8-password': 'hunter2' }
    expect(await codeOf(sign(keys), 'hunter2')).toContain('not encrypted')
  })

  it.each([
    ['a damaged key', () => ({ ...pair('rsa-2048'), 'private-key': vector('invalid-rsa-key.pem') }), 'ERR_RA_KEY'],
    ['a key that is not there', () => ({ 'private-key': lab.at('none.key') }), 'ERR_RA_FILE'],
    ['an empty file', async () => ({ 'private-key': await lab.write('empty', '') }), 'ERR_RA_FILE'],
    ['a certificate in place of a key', () => ({ 'private-key': lab.at('ec-256.crt') }), 'ERR_RA_KEY'],
    [
      'a damaged certificate',
      () => ({ ...pair('ec-256'), certificate: vector('invalid-rsa-cert.pem') }),
      'ERR_RA_CERT',
    ],
    ['what is neither PEM nor PKCS #12', () => ({ certificate: lab.at('rsa-2048.key') }), 'ERR_RA_KEY'],
    ['a certificate alone', () => ({ certificate: lab.at('ec-256.crt') }), 'ERR_RA_KEY'],
    ['nothing', () => ({}), 'unable to use cert store signer on linux'],
    [
      'a selector',
      () => ({ 'cert-selector': 'Key=x509Subject,Value=CN=a' }),
      'unable to use cert store signer on linux',
    ],
    ['a wrong selector', () => ({ 'cert-selector': 'Key=x' }), 'ERR_RA_SELECTOR'],
  ])('%s', async (_, given, why) => {
    expect(await codeOf(sign(await given()))).toContain(why)
  })

  it('a key of a kind that the service does not take, by its name', async () => {
    const key = lab.at('ed25519.key')
    await lab.openssl('genpkey', '-algorithm', 'ed25519', '-out', key)
    expect(createPublicKey(await readFile(key)).asymmetricKeyType).toBe('ed25519')
    expect(await codeOf(sign({ 'private-key': key }))).toMatch(/^ERR_RA_KEY: .*ed25519/)
  })
})
