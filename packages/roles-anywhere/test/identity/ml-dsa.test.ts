import { createCipheriv, createHash, pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { pemIdentity } from '../../src/identity/pem.ts'
import vectors from '../vectors/ml-dsa.json' with { type: 'json' }
import { createLab, der, elements, type Lab, MESSAGE, PASSWORD, pem, rejection, subjects, withKey } from './lab.ts'

const SETS = [
  { set: 44, mlDsa: ml_dsa44, last: 0x11 },
  { set: 65, mlDsa: ml_dsa65, last: 0x12 },
  { set: 87, mlDsa: ml_dsa87, last: 0x13 },
] as const
const SEED = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')

const algorithm = (last: number) => der(0x30, der(0x06, Buffer.from(`6086480165030403${last.toString(16)}`, 'hex')))
const pkcs8 = (last: number, choice: Buffer) => der(0x30, der(0x02, Buffer.of(0)), algorithm(last), der(0x04, choice))
const spkiOf = (last: number, publicKey: Uint8Array) => der(0x30, algorithm(last), der(0x03, Buffer.of(0), publicKey))
const forms = (seed: Uint8Array, secretKey: Uint8Array) => ({
  seed: der(0x80, seed),
  expanded: der(0x04, secretKey),
  both: der(0x30, der(0x04, seed), der(0x04, secretKey)),
})

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('ec')
  for (const { set, mlDsa, last } of SETS) {
    const { publicKey, secretKey } = mlDsa.keygen(SEED)
    const certificate = withKey(
      new X509Certificate(await lab.text('ec.crt')).raw,
      spkiOf(last, publicKey),
      await lab.text('intermediate.key'),
    )
    await lab.write(`${set}.crt`, pem('CERTIFICATE', certificate) + (await lab.text('intermediate.crt')))
    for (const [form, choice] of Object.entries(forms(SEED, secretKey))) {
      await lab.write(`${set}-${form}.key`, pem('PRIVATE KEY', pkcs8(last, choice)))
    }
  }
})
afterAll(() => lab.remove())

const source = (crt: string, key: string, password?: string) =>
  pemIdentity({ certificateFile: lab.path(crt), privateKeyFile: lab.path(key), password })

describe.each(SETS)('ML-DSA-$set', ({ set, mlDsa, last }) => {
  it.each(['seed', 'expanded', 'both'])(
    'signs with a key as %s, the same each time, whatever the hash',
    async (form) => {
      const identity = await source(`${set}.crt`, `${set}-${form}.key`).current()
      expect(identity.keyType).toBe('ml-dsa')
      expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
      const { publicKey, secretKey } = mlDsa.keygen(SEED)
      const signature = await identity.sign(MESSAGE, 'sha256')
      expect(mlDsa.verify(signature, MESSAGE, publicKey)).toBe(true)
      expect(Buffer.from(await identity.sign(MESSAGE, 'sha512'))).toEqual(Buffer.from(signature))
      expect(Buffer.from(signature)).toEqual(Buffer.from(mlDsa.sign(MESSAGE, secretKey, { extraEntropy: false })))
    },
  )

  it('opens an encrypted key, although OpenSSL 3.0 does not know what is in it', async () => {
    await lab.write(
      'encrypted.key',
      pem('ENCRYPTED PRIVATE KEY', encrypted(pkcs8(last, forms(SEED, mlDsa.keygen(SEED).secretKey).both))),
    )
    const identity = await source(`${set}.crt`, 'encrypted.key', PASSWORD).current()
    expect(identity.keyType).toBe('ml-dsa')
    expect((await rejection(source(`${set}.crt`, 'encrypted.key', 'wrong horse'))).code).toBe('ERR_RA_PASSWORD')
  })

  it('refuses seed and expanded key that do not belong together, keys of other sets, and damaged ones', async () => {
    const { secretKey } = mlDsa.keygen(SEED)
    const other = mlDsa.keygen(Buffer.alloc(32, 1)).secretKey
    const changed = (at: number) => secretKey.map((octet, it) => (it === at ? octet ^ 1 : octet))
    for (const [choice, code] of [
      [der(0x30, der(0x04, SEED), der(0x04, other)), 'ERR_RA_KEY'],
      [der(0x30, der(0x04, SEED), der(0x04, secretKey.subarray(1))), 'ERR_RA_KEY'],
      [der(0x80, SEED.subarray(1)), 'ERR_RA_KEY'],
      [der(0x04, secretKey.subarray(1)), 'ERR_RA_KEY'],
      [der(0x05), 'ERR_RA_KEY'],
      [der(0x04, changed(70)), 'ERR_RA_KEY'], // tr
      [der(0x04, changed(0)), 'ERR_RA_MISMATCH'], // rho
      [forms(SEED, other).expanded, 'ERR_RA_MISMATCH'],
    ] as const) {
      await lab.write('odd.key', pem('PRIVATE KEY', pkcs8(last, choice)))
      const error = await rejection(source(`${set}.crt`, 'odd.key'))
      expect(error.code).toBe(code)
    }
  })
})

it('refuses keys of another set or kind than the certificate', async () => {
  for (const [crt, key] of [
    ['44.crt', '65-seed.key'],
    ['87.crt', 'ec.key'],
    ['ec.crt', '44-both.key'],
  ] as const) {
    expect((await rejection(source(crt, key))).code).toBe('ERR_RA_MISMATCH')
  }
})

it('follows a chain whose issuers sign by ML-DSA', async () => {
  const { publicKey, secretKey } = ml_dsa65.keygen(SEED)
  const authority = withKey(
    new X509Certificate(await lab.text('intermediate.crt')).raw,
    spkiOf(0x12, publicKey),
    await lab.text('root.key'),
  )
  const signed = (leaf: Uint8Array, key: Uint8Array) => {
    const fields = elements(elements(leaf)[0] as Buffer)
    fields[2] = algorithm(0x12)
    const tbs = der(0x30, ...fields)
    return der(0x30, tbs, algorithm(0x12), der(0x03, Buffer.of(0), ml_dsa65.sign(tbs, key, { extraEntropy: false })))
  }
  const leaf = withoutKeyIdentifiers(new X509Certificate(await lab.text('ec.crt')).raw)
  for (const [key, count] of [
    [secretKey, 1],
    [ml_dsa65.keygen(Buffer.alloc(32, 1)).secretKey, 0],
  ] as const) {
    await lab.write('chain.crt', pem('CERTIFICATE', signed(leaf, key)) + pem('CERTIFICATE', authority))
    expect((await source('chain.crt', 'ec.key').current()).chain).toHaveLength(count)
  }
})

it('M: forgets the key on close', async () => {
  const closed = source('44.crt', '44-seed.key')
  const identity = await closed.current()
  await closed.close()
  await expect(identity.sign(MESSAGE, 'sha256')).rejects.toMatchObject({ code: 'ERR_RA_CLOSED' })
})

it.each(vectors.cases)('S: reads keys of OpenSSL 4.0, which takes its signatures: ML-DSA-$set', async (it) => {
  const spki = Buffer.from(it.publicKeyPem.replace(/-----.*-----|\s/g, ''), 'base64')
  const certificate = withKey(
    new X509Certificate(await lab.text('ec.crt')).raw,
    spki,
    await lab.text('intermediate.key'),
  )
  await lab.write('v.crt', pem('CERTIFICATE', certificate))
  for (const [key, password] of [
    [it.keyPem, undefined],
    [it.encryptedKeyPem, vectors.password],
  ] as const) {
    await lab.write('v.key', key)
    const identity = await source('v.crt', 'v.key', password).current()
    const signature = await identity.sign(Buffer.from(vectors.text), 'sha256')
    expect(createHash('sha256').update(signature).digest('hex')).toBe(it.signatureSha256)
  }
})

/** The authority's key is another one than openssl wrote its identifier of. */
function withoutKeyIdentifiers(certificate: Uint8Array): Buffer {
  const [tbs, ...rest] = elements(certificate) as [Buffer, ...Buffer[]]
  return der(0x30, der(0x30, ...elements(tbs).slice(0, 7)), ...rest)
}

/** PBES2 with PBKDF2 (hmacWithSHA256, 2048 iterations) and AES-256-CBC. */
function encrypted(info: Buffer): Buffer {
  const [salt, iv] = [randomBytes(16), randomBytes(16)]
  const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
  const kdf = der(
    0x30,
    der(0x04, salt),
    der(0x02, Buffer.from('0800', 'hex')),
    der(0x02, Buffer.of(32)),
    der(0x30, oid('2a864886f70d0209'), der(0x05)),
  )
  const scheme = der(
    0x30,
    oid('2a864886f70d01050d'),
    der(0x30, der(0x30, oid('2a864886f70d01050c'), kdf), der(0x30, oid('60864801650304012a'), der(0x04, iv))),
  )
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(PASSWORD, salt, 2048, 32, 'sha256'), iv)
  return der(0x30, scheme, der(0x04, cipher.update(info), cipher.final()))
}
