import { createHmac, pbkdf2Sync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Pkcs12Error, readPkcs12 } from '../src/index.ts'
import {
  authenticatedSafe,
  createLab,
  der,
  EC,
  fails,
  int,
  type Lab,
  octetString,
  oid,
  PASSWORD,
  pfxOf,
  RSA,
  sequence,
} from './helpers.ts'

let lab: Lab
const files: Record<string, Buffer> = {}
beforeAll(async () => {
  lab = await createLab()
  await lab.pair('ec', EC)
  await lab.pair('rsa', RSA)
  const plain = ['-keypbe', 'NONE', '-certpbe', 'NONE']
  files.encrypted = await lab.export('ec', PASSWORD, '-iter', '100')
  files.plain = await lab.export('ec', PASSWORD, '-iter', '100', ...plain)
  files['without a MAC, EC'] = await lab.export('ec', PASSWORD, ...plain, '-nomac')
  files['without a MAC, RSA'] = await lab.export('rsa', PASSWORD, ...plain, '-nomac')
})
afterAll(() => lab.remove())

describe('S14: a file whose password would be hashed for ever', () => {
  it.each([PASSWORD, ''])('for its MAC, with the password "%s"', async (password) => {
    const whole = await lab.export('ec', password, '-iter', '1234')
    const tail = whole.lastIndexOf(Buffer.from('020204d2', 'hex')) // iterations of the MAC
    const macData = tail - 63 // its header, the digest and the salt, whose octets are random: RFC 7292, section 4
    const bomb = Buffer.concat([whole.subarray(0, tail), int('7fffffff')])
    bomb[macData + 1] = 0x43
    bomb.writeUInt16BE(bomb.readUInt16BE(2) + 2, 2)
    await fails(readPkcs12(bomb, password, { maxTimeMs: 200 }), 'ERR_PKCS12_TIME')
  })

  it('for its key', async () => {
    const bomb = await lab.export('ec', PASSWORD, '-iter', '1000000', '-nomaciter')
    await fails(readPkcs12(bomb, PASSWORD, { maxTimeMs: 200 }), 'ERR_PKCS12_TIME')
  })
})

describe('what is refused', () => {
  it.each([
    ['nothing', () => Buffer.of()],
    ['text', () => Buffer.from('CANARY')],
    ['PEM', () => lab.openssl('x509', '-in', 'ec.crt')],
    ['a certificate', () => lab.certificate('ec')],
    ['1 MiB of nothing', () => Buffer.alloc(1_048_576)],
    ['deeper than deep', () => Buffer.alloc(100_000, '3080', 'hex')],
    ['a part of a file', () => files.encrypted!.subarray(0, -1)],
    ['more than a file', () => Buffer.concat([files.encrypted!, Buffer.of(0)])],
    ['public-key integrity mode', () => pfxOf(authenticatedSafe(files.plain!), undefined, '2a864886f70d010702')],
    ['PBMAC1', () => pbmac1(authenticatedSafe(files.plain!))],
    ['a bag that is neither key nor certificate', secretBag],
  ])('M: %s', async (_, pfx) => {
    await fails(readPkcs12(await pfx(), PASSWORD), 'ERR_PKCS12_FORMAT')
  })

  it('M: more than 1 MiB, before anything is looked at', async () => {
    await fails(readPkcs12(Buffer.alloc(1_048_577), 'CANARYé'), 'ERR_PKCS12_SIZE')
  })

  it.each(['CANARYé', 'CANARY\n', 'CANARY\0', '\u{1f511}'])('S14: the password %j', async (password) => {
    for (const it of [password, Buffer.from(password)]) {
      await fails(readPkcs12(files.encrypted!, it), 'ERR_PKCS12_PASSWORD_CHARACTERS')
    }
  })

  it("M: a caller's mistake", async () => {
    const pfx = files.encrypted!
    await expect(readPkcs12('CANARY' as never, '')).rejects.toThrow(TypeError)
    await expect(readPkcs12(pfx, undefined as never)).rejects.toThrow(TypeError)
    for (const maxTimeMs of [0, -1, 1.5, 600_001, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(readPkcs12(pfx, '', { maxTimeMs })).rejects.toThrow(RangeError)
    }
  })
})

describe('M: a damaged file is opened or gives our own error', () => {
  it.each(['encrypted', 'plain'])('cut off: %s', async (name) => {
    const whole = files[name]!
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
        await fails(readPkcs12(whole.subarray(0, length), PASSWORD), 'ERR_PKCS12_FORMAT')
      }),
      { numRuns: 50 },
    )
  })

  it.each(['encrypted', 'plain', 'without a MAC, EC', 'without a MAC, RSA'])('changed: %s', async (name) => {
    const whole = files[name]!
    const change = fc.tuple(fc.integer({ min: 0, max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(change, async ([at, by]) => {
        const changed = Buffer.from(whole)
        changed[at]! ^= by
        const result = await readPkcs12(changed, PASSWORD, { maxTimeMs: 500 }).catch((it: unknown) => it)
        if ('keys' in (result as object)) return
        expect(result).toBeInstanceOf(Pkcs12Error)
      }),
      { numRuns: 100 },
    )
  })

  it('S14: octets under the MAC can not be changed', async () => {
    const changed = Buffer.from(files.plain!)
    changed[changed.indexOf(await lab.certificate('ec')) + 100]! ^= 1
    await fails(readPkcs12(changed, PASSWORD), 'ERR_PKCS12_PASSWORD')
  })
})

/** RFC 9579, section 4, which no version of OpenSSL before 3.4 writes. */
function pbmac1(safe: Buffer): Buffer {
  const salt = Buffer.from('saltsalt')
  const mac = createHmac('sha256', pbkdf2Sync(PASSWORD, salt, 1, 32, 'sha256'))
    .update(safe)
    .digest()
  const hmacWithSha256 = sequence(oid('2a864886f70d0209'), Buffer.of(5, 0))
  const kdf = sequence(oid('2a864886f70d01050c'), sequence(octetString(salt), int('01'), int('20'), hmacWithSha256))
  const algorithm = sequence(oid('2a864886f70d01050e'), sequence(kdf, hmacWithSha256))
  return pfxOf(safe, sequence(sequence(algorithm, octetString(mac)), octetString(Buffer.from('NOT USED')), int('01')))
}

/** RFC 7292, section 4.2.5. */
function secretBag(): Buffer {
  const secret = sequence(oid('2a864886f70d010701'), der(0xa0, octetString(Buffer.from('CANARY'))))
  const bag = sequence(oid('2a864886f70d010c0a0105'), der(0xa0, secret))
  return pfxOf(sequence(sequence(oid('2a864886f70d010701'), der(0xa0, octetString(sequence(bag))))))
}
