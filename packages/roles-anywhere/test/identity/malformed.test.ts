import { createPrivateKey, createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { bufferIdentity } from '../../src/identity/buffer.ts'
import { decryptPkcs8, UnsupportedEncryption } from '../../src/identity/pbes2.ts'
import { readPemBlocks } from '../../src/identity/pem-blocks.ts'
import { publicKeyOfCertificate } from '../../src/identity/public-key.ts'
import { createLab, der, ec, type Lab, pem, RSA, withKey } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('ec')
  await lab.leaf('rsa', RSA)
  await lab.leaf('p521', ec('P-521'))
})
afterAll(() => lab.remove())

const PASSWORD = Buffer.from('correct horse')
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const int = (hex: string) => der(0x02, Buffer.from(hex, 'hex'))
const [SALT, IV, DATA] = [Buffer.alloc(8), Buffer.alloc(16), Buffer.alloc(32)]
/** EncryptedPrivateKeyInfo with these parameters of a KDF. */
const encrypted = (kdf: string, ...parameters: Buffer[]) =>
  der(
    0x30,
    der(
      0x30,
      oid('2a864886f70d01050d'),
      der(0x30, der(0x30, oid(kdf), der(0x30, ...parameters)), der(0x30, oid('60864801650304012a'), der(0x04, IV))),
    ),
    der(0x04, DATA),
  )
const PBKDF2 = '2a864886f70d01050c'
const SCRYPT = '2b06010401da47040b'

it.each([
  ['no iterations', encrypted(PBKDF2, der(0x04, SALT), int('00')), UnsupportedEncryption],
  ['hours of iterations', encrypted(PBKDF2, der(0x04, SALT), int('7fffffff')), UnsupportedEncryption],
  ['negative iterations', encrypted(PBKDF2, der(0x04, SALT), int('ff')), SyntaxError],
  ['numbers of any length', encrypted(PBKDF2, der(0x04, SALT), int('01'.repeat(9))), SyntaxError],
  ['a hash that is none', encrypted(PBKDF2, der(0x04, SALT), int('01'), der(0x30, oid('2a03'))), UnsupportedEncryption],
  [
    'gigabytes of scrypt',
    encrypted(SCRYPT, der(0x04, SALT), int('40000000'), int('08'), int('01')),
    UnsupportedEncryption,
  ],
  [
    'hours of scrypt',
    encrypted(SCRYPT, der(0x04, SALT), int('100000'), int('01'), int('200000')),
    UnsupportedEncryption,
  ],
  ['an scrypt that there is not', encrypted(SCRYPT, der(0x04, SALT), int('03'), int('08'), int('01')), Error],
  ['another KDF', encrypted('2a03', der(0x04, SALT)), UnsupportedEncryption],
  ['nothing', Buffer.of(), SyntaxError],
  ['something after it', Buffer.concat([encrypted(PBKDF2, der(0x04, SALT), int('01')), Buffer.of(0)]), SyntaxError],
])('M: decryptPkcs8 refuses %s', async (_, octets, type) => {
  await expect(decryptPkcs8(octets, PASSWORD)).rejects.toBeInstanceOf(type)
})

it('decryptPkcs8 reads a length of the key, and what a wrong password leaves', async () => {
  const prf = der(0x30, oid('2a864886f70d0209'), der(0x05))
  expect(await decryptPkcs8(encrypted(PBKDF2, der(0x04, SALT), int('01'), int('20'), prf), PASSWORD)).toBeUndefined()
})

it('readPemBlocks takes any text, in time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('-----BEGIN A-----', '-----END A-----', 'AAAA', 'a: b', '', '=', '\r', '\n')),
      (parts) => {
        try {
          readPemBlocks(Buffer.from(parts.join('\n')))
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError)
        }
      },
    ),
  )
  const started = performance.now()
  expect(() => readPemBlocks(Buffer.from('-----BEGIN A-----\n'.repeat(58_000)))).toThrow(SyntaxError)
  expect(performance.now() - started).toBeLessThan(5_000)
})

it('publicKeyOfCertificate throws what it says, whatever it is given', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      expect(() => publicKeyOfCertificate(octets)).toThrow(SyntaxError)
    }),
  )
})

it.each(['ec', 'rsa', 'p521'])(
  'M: a changed octet anywhere gives an identity that works, or our own error: %s',
  async (name) => {
    const [certificate, privateKey] = await Promise.all([`${name}.crt`, `${name}.key`].map((it) => lab.text(it)))
    const [cert, key] = [certificate, privateKey].map((it) => readPemBlocks(Buffer.from(it ?? ''))[0]?.der) as [
      Buffer,
      Buffer,
    ]
    const secret = key.subarray(40, 60).toString('base64').slice(0, 20)
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (inKey, at, by) => {
        const changed = Buffer.from(inKey ? key : cert)
        changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ by
        const source = bufferIdentity({
          certificate: pem('CERTIFICATE', inKey ? cert : changed),
          privateKey: pem('PRIVATE KEY', inKey ? changed : key),
        })
        try {
          await source.current()
        } catch (error) {
          expect(error).toMatchObject({
            name: 'RolesAnywhereError',
            code: expect.stringMatching(/ERR_RA_(KEY|CERTIFICATE|MISMATCH)/),
          })
          expect((error as Error).message).not.toContain(secret)
        }
      }),
      { numRuns: 300 },
    )
  },
)

/** AlgorithmIdentifier of a key on P-256 (RFC 5480, section 2.1.1). */
const P256 = der(0x30, oid('2a8648ce3d0201'), oid('2a8648ce3d030107'))

it.each([
  ['longer than the order of the curve', Buffer.alloc(40, 0x11), 'can not sign'],
  ['as long as what follows it in a file', Buffer.alloc(102, 0x77), 'can not sign'],
  ['zero', Buffer.alloc(32), 'point at infinity'],
  ['empty', Buffer.of(), 'point at infinity'],
])('M: an EC key whose details Node 20 dies of: its scalar is %s', async (_, scalar, message) => {
  const sec1 = der(0x30, int('01'), der(0x04, scalar))
  const key = der(0x30, int('00'), P256, der(0x04, sec1))
  const publicKey = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
  const source = bufferIdentity({
    certificate: await certificateFor(publicKey.export({ format: 'der', type: 'spki' })),
    privateKey: pem('PRIVATE KEY', key),
  })
  await expect(source.current()).rejects.toMatchObject({
    code: 'ERR_RA_KEY',
    message: expect.stringContaining(message),
  })
})

it('M: a certificate for a point at infinity, whose details Node 20 dies of', async () => {
  const source = bufferIdentity({
    certificate: await certificateFor(der(0x30, P256, der(0x03, Buffer.of(0, 0)))),
    privateKey: await lab.text('ec.key'),
  })
  await expect(source.current()).rejects.toMatchObject({ code: 'ERR_RA_CERTIFICATE' })
})

async function certificateFor(publicKeyInfo: Uint8Array): Promise<string> {
  const like = readPemBlocks(Buffer.from(await lab.text('ec.crt')))[0]?.der as Buffer
  return pem('CERTIFICATE', withKey(like, publicKeyInfo, await lab.text('intermediate.key')))
}

it('M: an RSA key that is damaged in a way that only signing shows gives our own error', async () => {
  const [certificate, privateKey] = await Promise.all(['rsa.crt', 'rsa.key'].map((it) => lab.text(it)))
  const key = readPemBlocks(Buffer.from(privateKey ?? ''))[0]?.der as Buffer
  for (let at = key.length - 1; at > 600; at -= 37) {
    const changed = Buffer.from(key)
    changed[at] = (changed[at] ?? 0) ^ 1
    const source = bufferIdentity({ certificate: certificate ?? '', privateKey: pem('PRIVATE KEY', changed) })
    const error = await source.current().catch((it: unknown) => it)
    expect([undefined, 'ERR_RA_KEY', 'ERR_RA_MISMATCH']).toContain((error as { code?: string }).code)
  }
})
