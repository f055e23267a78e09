import { createHash, createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readPkcs12 } from '../src/index.ts'
import {
  authenticatedSafe,
  createLab,
  EC,
  elements,
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
beforeAll(async () => {
  lab = await createLab()
  await lab.pair('ec', EC)
  await lab.pair('rsa', RSA)
  await lab.pair('other', EC)
})
afterAll(() => lab.remove())

describe('readPkcs12', () => {
  const WAYS = [
    ['OpenSSL 3: AES-256, SHA-256', ['-iter', '2048']],
    ['AES-256, SHA-512', ['-macalg', 'sha512']],
    ['AES-128, SHA-384', ['-keypbe', 'aes-128-cbc', '-certpbe', 'aes-128-cbc', '-macalg', 'sha384']],
    ['3DES, SHA-1', ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']],
    ['RC2-40 and 3DES, as Windows had it', ['-legacy']],
    ['a certificate in the clear', ['-certpbe', 'NONE']],
    ['a key in the clear', ['-keypbe', 'NONE']],
    ['not encrypted', ['-keypbe', 'NONE', '-certpbe', 'NONE']],
  ] as const
  it.each(
    WAYS.flatMap(([way, options]) =>
      ['ec', 'rsa'].flatMap((name) => [PASSWORD, ''].map((password) => ({ way, options, name, password }))),
    ),
  )('S14: opens $way, $name, password "$password", and with no other', async ({ options, name, password }) => {
    const file = await lab.export(name, password, '-iter', '100', ...options)
    const { keys, certificates } = await readPkcs12(file, password)
    expect(keys.map(({ der }) => der)).toEqual([await lab.key(name)])
    expect(certificates.map(({ der }) => der)).toEqual([await lab.certificate(name)])
    expect(await readPkcs12(file, Buffer.from(password))).toEqual({ keys, certificates })
    const { message } = await fails(readPkcs12(file, 'CANARY'), 'ERR_PKCS12_PASSWORD')
    expect(message).toMatch(/has another password/)
    if (password === '') return
    const none = await fails(readPkcs12(file, ''), 'ERR_PKCS12_PASSWORD')
    expect(none.message).toMatch(/none was given/)
  })

  it('says what belongs together, in the order of the file', async () => {
    const file = await lab.export('ec', '', '-certfile', 'other.crt')
    const { keys, certificates } = await readPkcs12(file, '')
    const id = createHash('sha1')
      .update(await lab.certificate('ec'))
      .digest('hex') // OpenSSL takes that
    expect(keys.map(({ localKeyId }) => localKeyId)).toEqual([id])
    expect(certificates).toEqual([
      { der: await lab.certificate('ec'), localKeyId: id },
      { der: await lab.certificate('other'), localKeyId: undefined },
    ])
  })

  it('gives all keys of a file, and certificates alone', async () => {
    const plain = ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac']
    const files = await Promise.all(['ec', 'rsa'].map((name) => lab.export(name, '', ...plain)))
    const both = pfxOf(sequence(...files.flatMap((it) => elements(authenticatedSafe(it)))))
    const { keys, certificates } = await readPkcs12(both, '')
    expect(keys.map(({ der }) => der)).toEqual([await lab.key('ec'), await lab.key('rsa')])
    expect(certificates.map(({ localKeyId }) => localKeyId)).toEqual(keys.map(({ localKeyId }) => localKeyId))
    const none = await readPkcs12(await lab.export('ec', PASSWORD, '-nokeys'), PASSWORD)
    expect(none).toEqual({ keys: [], certificates: [{ der: await lab.certificate('ec'), localKeyId: undefined }] })
  })

  it('opens an empty password that is written as none at all', async () => {
    const safe = authenticatedSafe(await lab.export('ec', '', '-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac'))
    const salt = Buffer.from('saltsalt')
    // RFC 7292, appendix B.2, for one iteration, as many octets as SHA-1 has, and no password.
    const key = createHash('sha1').update(Buffer.alloc(64, 3)).update(Buffer.alloc(64, salt)).digest()
    const mac = createHmac('sha1', key).update(safe).digest()
    const digestInfo = sequence(sequence(oid('2b0e03021a'), Buffer.of(5, 0)), octetString(mac))
    const file = pfxOf(safe, sequence(digestInfo, octetString(salt), int('01')))
    await lab.write('none.p12', file)
    await lab.openssl('pkcs12', '-in', 'none.p12', '-passin', 'pass:', '-noenc') // which says that it is right
    expect((await readPkcs12(file, '')).keys).toHaveLength(1)
    await fails(readPkcs12(file, 'CANARY'), 'ERR_PKCS12_PASSWORD')
  })

  it('gives certificates octet for octet, of issuers that sign by RSA-PSS too', async () => {
    const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20']
    await lab.pair('pss', RSA, '-CA', 'rsa.crt', '-CAkey', 'rsa.key', ...pss)
    const { certificates } = await readPkcs12(await lab.export('pss', ''), '')
    expect(certificates.map(({ der }) => der)).toEqual([await lab.certificate('pss')])
  })

  it('leaves what it was given as it is, and is done with it at once', async () => {
    const file = await lab.export('ec', PASSWORD)
    const password = Buffer.from(`..${PASSWORD}..`)
    const [pfx, part] = [Buffer.from(file), password.subarray(2, -2)]
    await readPkcs12(pfx, part)
    expect([pfx, password.toString()]).toEqual([file, `..${PASSWORD}..`])
    const opened = readPkcs12(pfx, part)
    pfx.fill(0)
    password.fill(0)
    expect((await opened).keys).toHaveLength(1)
  })

  it('loads nothing before it is called', async () => {
    for (const name of ['index', 'read-pkcs12', 'errors', 'types', 'internal/read-contents']) {
      const source = await readFile(new URL(`../src/${name}.ts`, import.meta.url), 'utf8')
      const loaded = [...source.matchAll(/^(?:import|export) (?!type )(?:[^'"]*? from )?'([^']+)'/gms)]
      expect(loaded.map(([, it]) => it).filter((it) => !it?.startsWith('.'))).toEqual([])
    }
  })
})
