import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { pkcs12Identity } from '../../src/identity/pkcs12.ts'
import { createLab, type Lab, PASSWORD, RSA, rejection, signs, subjects, warnings } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('ec')
  await lab.leaf('rsa', RSA)
  await lab.leaf('other')
  await lab.write('all.pem', (await lab.text('intermediate.crt')) + (await lab.text('root.crt')))
})
afterAll(() => lab.remove())

const exported = (out: string, name: string, password: string, ...options: string[]) =>
  lab.openssl(
    'pkcs12',
    '-export',
    '-in',
    `${name}.crt`,
    '-inkey',
    `${name}.key`,
    '-certfile',
    'all.pem',
    '-passout',
    `pass:${password}`,
    '-out',
    out,
    ...options,
  )
const der = async (name: string) => new X509Certificate(await lab.text(`${name}.crt`)).raw

describe('pkcs12Identity', () => {
  it.each([
    ['ec', PASSWORD, []],
    ['rsa', '', ['-legacy']],
  ] as const)('opens one with %s, password "%s", options %j', async (name, password, options) => {
    await exported('a.p12', name, password, ...options)
    for (const init of [{ file: lab.path('a.p12') }, { data: await readFile(lab.path('a.p12')) }]) {
      const source = pkcs12Identity({ ...init, password })
      expect(source.name).toBe('pkcs12')
      const identity = await source.current()
      expect(Buffer.from(identity.certificate)).toEqual(await der(name)) // an RSA key, certified by an EC one
      expect(identity.keyType).toBe(name)
      expect(await signs(identity, 'sha384')).toBe(true)
      expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
    }
  })

  it('needs no password for the empty one, and asks for another one only then', async () => {
    await exported('empty.p12', 'ec', '')
    await exported('a.p12', 'ec', PASSWORD)
    const password = jest.fn(() => PASSWORD)
    expect(await signs(await pkcs12Identity({ file: lab.path('empty.p12') }).current())).toBe(true)
    await pkcs12Identity({ file: lab.path('empty.p12'), password }).current()
    expect(password).not.toHaveBeenCalled()
    await pkcs12Identity({ file: lab.path('a.p12'), password }).current()
    expect(password).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['wrong', /has another password than was given/],
    [undefined, /is encrypted, and no password was given/],
    ['', /has a password, and none was given|is encrypted/],
    ['pässword', /other characters than ASCII/],
  ])('M: refuses the password %p by name of the file', async (password, message) => {
    await exported('a.p12', 'ec', PASSWORD)
    const error = await rejection(pkcs12Identity({ file: lab.path('a.p12'), password }))
    expect(error).toMatchObject({ code: 'ERR_RA_PASSWORD', message: expect.stringMatching(message) })
    expect(error.message).toContain('a.p12')
  })

  it('finds the leaf where it comes last, and beside certificates of other keys', async () => {
    await lab.write(
      'rest.pem',
      (await lab.text('other.crt')) + (await lab.text('intermediate.crt')) + (await lab.text('ec.crt')),
    )
    await lab.openssl(
      'pkcs12',
      '-export',
      '-in',
      'rest.pem',
      '-inkey',
      'ec.key',
      '-passout',
      'pass:',
      '-out',
      'last.p12',
    )
    const identity = await pkcs12Identity({ file: lab.path('last.p12') }).current()
    expect(Buffer.from(identity.certificate)).toEqual(await der('ec'))
  })

  it('takes the certificate with the localKeyId of the key, or else that which ends last', async () => {
    await lab.certify('renewed', 'ec.key', '-days', '60')
    await lab.openssl(
      'pkcs12',
      '-export',
      '-in',
      'ec.crt',
      '-inkey',
      'ec.key',
      '-certfile',
      'renewed.crt',
      '-passout',
      'pass:',
      '-out',
      'two.p12',
    )
    const identity = await pkcs12Identity({ file: lab.path('two.p12') }).current()
    expect(Buffer.from(identity.certificate)).toEqual(await der('ec'))
    const certificate = await der('renewed')
    expect((await rejection(pkcs12Identity({ file: lab.path('two.p12'), certificate: await der('other') }))).code).toBe(
      'ERR_RA_MISMATCH',
    )
    expect(
      Buffer.from((await pkcs12Identity({ file: lab.path('two.p12'), certificate }).current()).certificate),
    ).toEqual(certificate)
  })

  it('F: is read again when it was replaced, and kept while it can not be read', async () => {
    const { seen, onWarning } = warnings()
    await exported('live.p12', 'ec', PASSWORD)
    const source = pkcs12Identity({ file: lab.path('live.p12'), password: PASSWORD, onWarning })
    const first = await source.current()
    await lab.write('live.p12', (await readFile(lab.path('live.p12'))).subarray(0, 500))
    expect(await source.current()).toBe(first)
    expect(seen.map((it) => it.code)).toEqual(['WARN_RA_RELOAD'])
    await exported('live.p12', 'rsa', PASSWORD)
    expect((await source.current()).keyType).toBe('rsa')
  })

  it('refuses what is no PKCS #12, has no key, no certificate, or one for signatures that nobody takes', async () => {
    await lab.openssl('pkcs12', '-export', '-nokeys', '-in', 'ec.crt', '-passout', 'pass:', '-out', 'nokey.p12')
    await lab.openssl('pkcs12', '-export', '-nocerts', '-inkey', 'ec.key', '-passout', 'pass:', '-out', 'nocert.p12')
    await lab.leaf('ed', ['-newkey', 'ed25519'])
    await exported('ed.p12', 'ed', '')
    await lab.write('no.p12', 'nothing')
    for (const [file, code, message] of [
      ['nokey.p12', 'ERR_RA_KEY', /has no private key/],
      ['nocert.p12', 'ERR_RA_MISMATCH', /does not have a certificate of its private key/],
      ['ed.p12', 'ERR_RA_KEY', /ed25519/],
      ['no.p12', 'ERR_RA_KEY', /is no PKCS #12 file/],
      ['all.pem', 'ERR_RA_KEY', /is no PKCS #12 file/],
      ['missing.p12', 'ERR_RA_FILE', /is not there/],
    ] as const) {
      expect(await rejection(pkcs12Identity({ file: lab.path(file) }))).toMatchObject({
        code,
        message: expect.stringMatching(message),
      })
    }
    expect(() => pkcs12Identity({ file: '' })).toThrow(TypeError)
    expect(() => pkcs12Identity({} as never)).toThrow(TypeError)
    expect(() => pkcs12Identity({ data: Buffer.of() })).toThrow(RangeError)
  })
})
