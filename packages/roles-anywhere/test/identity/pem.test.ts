import { createHash, createPrivateKey } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { pemIdentity } from '../../src/identity/pem.ts'
import vectors from '../vectors/roles-anywhere-vectors.json' with { type: 'json' }
import { createLab, EC, ec, type Lab, PASSWORD, RSA, rejection, signs, subjects, warnings } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('ec')
  await lab.leaf('other')
  await lab.leaf('rsa', RSA)
})
afterAll(() => lab.remove())

const files = (certificate: string, privateKey?: string) => ({
  certificateFile: lab.path(certificate),
  privateKeyFile: privateKey === undefined ? undefined : lab.path(privateKey),
})
const current = (init: Parameters<typeof pemIdentity>[0]) => pemIdentity(init).current()

describe('keys', () => {
  it.each([
    ['rsa1024', ['-newkey', 'rsa:1024'], 'rsa'],
    ['rsa2048', RSA, 'rsa'],
    ['rsa4096', ['-newkey', 'rsa:4096'], 'rsa'],
    ['p224', ec('P-224'), 'ec'],
    ['p256', EC, 'ec'],
    ['p384', ec('P-384'), 'ec'],
    ['p521', ec('P-521'), 'ec'],
  ] as const)('%s signs with all hashes', async (name, newkey, keyType) => {
    await lab.leaf(name, newkey)
    const identity = await current(files(`${name}.crt`, `${name}.key`))
    expect(identity.keyType).toBe(keyType)
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) expect(await signs(identity, hash)).toBe(true)
  })

  it('reads SEC 1, after EC PARAMETERS, and PKCS #1', async () => {
    await lab.openssl('ecparam', '-name', 'prime256v1', '-genkey', '-out', 'sec1.key')
    expect(await lab.text('sec1.key')).toContain('BEGIN EC PARAMETERS')
    await lab.certify('sec1', 'sec1.key')
    await lab.openssl('rsa', '-in', 'rsa.key', '-traditional', '-out', 'pkcs1.key')
    expect(await lab.text('pkcs1.key')).toContain('BEGIN RSA PRIVATE KEY')
    expect(await signs(await current(files('sec1.crt', 'sec1.key')))).toBe(true)
    expect(await signs(await current(files('rsa.crt', 'pkcs1.key')))).toBe(true)
  })

  it('reads one file with certificate, key and chain, in any order, with text between them', async () => {
    const [crt, key, chain] = await Promise.all(['ec.crt', 'ec.key', 'intermediate.crt'].map((it) => lab.text(it)))
    const combined = [
      [crt, chain, key],
      [key, crt, chain],
      [crt, key, chain],
    ]
    for (const parts of combined) {
      await lab.write(
        'combined.pem',
        ['# for example.com', ...parts, 'Bag Attributes: none\r\n'].join('\nsome text\n').replace(/\n/g, '\r\n'),
      )
      const identity = await current(files('combined.pem'))
      expect(await signs(identity)).toBe(true)
      expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
    }
  })
})

describe('encrypted keys', () => {
  const aes = ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc'].map((it) => ['-v2', it])
  const prfs = ['SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512', 'SHA512-224', 'SHA512-256'].map((it) => [
    '-v2',
    'aes-256-cbc',
    '-v2prf',
    `hmacWith${it}`,
  ])
  const scrypts = ['aes-128-cbc', 'aes-256-cbc'].map((it) => ['-scrypt', '-v2', it])
  it.each([...aes, ...prfs, ...scrypts])('opens %s %s %s %s', async (...options) => {
    const args = options.filter((it) => it !== undefined)
    for (const name of ['ec', 'rsa']) {
      await lab.openssl(
        'pkcs8',
        '-topk8',
        '-in',
        `${name}.key`,
        '-passout',
        `pass:${PASSWORD}`,
        '-out',
        'encrypted.key',
        ...args,
      )
      expect(await signs(await current({ ...files(`${name}.crt`, 'encrypted.key'), password: PASSWORD }))).toBe(true)
    }
  })

  it('takes a password that is not ASCII, as UTF-8, of text and octets, and of whoever is asked', async () => {
    const password = 'pässwörd 🐴'
    await lab.openssl(
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-in',
      'ec.key',
      '-passout',
      `pass:${password}`,
      '-out',
      'utf8.key',
    )
    const asked = jest.fn(() => Promise.resolve(password))
    for (const it of [password, Buffer.from(password), asked]) {
      expect(await signs(await current({ ...files('ec.crt', 'utf8.key'), password: it }))).toBe(true)
    }
    expect(asked).toHaveBeenCalledTimes(1)
  })

  it('asks again after a wrong password, keeps the right one, and asks nobody where there is none', async () => {
    await lab.openssl(
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-in',
      'ec.key',
      '-passout',
      `pass:${PASSWORD}`,
      '-out',
      'asked.key',
    )
    const password = jest.fn(() => PASSWORD).mockReturnValueOnce('wrong')
    const source = pemIdentity({ ...files('ec.crt', 'asked.key'), password })
    expect((await rejection(source)).code).toBe('ERR_RA_PASSWORD')
    await source.current()
    await lab.write('asked.key', await lab.text('asked.key'))
    await source.current()
    expect(password).toHaveBeenCalledTimes(2)
    const nobody = jest.fn(() => PASSWORD)
    await current({ ...files('ec.crt', 'ec.key'), password: nobody })
    expect(nobody).not.toHaveBeenCalled()
  })

  it.each([
    [
      'a wrong password',
      'incorrect horse',
      'encrypted.key',
      /the password of the private key in .*encrypted.key is wrong/,
    ],
    ['a long one', 'x'.repeat(1000), 'encrypted.key', /is wrong/],
    ['none', undefined, 'encrypted.key', /encrypted.key is encrypted, and no password was given/],
    ['one that nothing needs', PASSWORD, 'ec.key', /ec.key is not encrypted/],
  ])('M: refuses %s, naming the file and not the password', async (_, password, key, message) => {
    await lab.openssl(
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-in',
      'ec.key',
      '-passout',
      `pass:${PASSWORD}`,
      '-out',
      'encrypted.key',
    )
    const error = await rejection(pemIdentity({ ...files('ec.crt', key), password }))
    expect(error).toMatchObject({
      name: 'RolesAnywhereError',
      code: 'ERR_RA_PASSWORD',
      message: expect.stringMatching(message),
    })
    if (password !== undefined)
      expect(JSON.stringify([error.message, error.cause, error.stack])).not.toContain(password)
  })

  it('calls a password wrong even where the padding happens to be right', async () => {
    await lab.openssl(
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-iter',
      '1',
      '-in',
      'ec.key',
      '-passout',
      `pass:${PASSWORD}`,
      '-out',
      'iter1.key',
    )
    for (let tried = 0; tried < 600; tried++) {
      const source = pemIdentity({ ...files('ec.crt', 'iter1.key'), password: `wrong ${tried}` })
      expect((await rejection(source)).code).toBe('ERR_RA_PASSWORD')
    }
  })

  it.each([
    ['3DES', ['-v2', 'des3'], /cipher is not AES.*openssl pkcs8 -topk8/],
    ['PBES1', ['-v1', 'PBE-SHA1-3DES'], /not encrypted by PBES2.*openssl pkcs8 -topk8/],
    ['AES in OFB mode', ['-v2', 'aes-256-ofb'], /cipher is not AES in CBC/],
  ])('refuses %s with the cure', async (_, options, message) => {
    await lab.openssl('pkcs8', '-topk8', '-in', 'ec.key', '-passout', `pass:${PASSWORD}`, '-out', 'old.key', ...options)
    const error = await rejection(pemIdentity({ ...files('ec.crt', 'old.key'), password: PASSWORD }))
    expect(error).toMatchObject({ code: 'ERR_RA_KEY', message: expect.stringMatching(message) })
  })
})

describe('what it refuses', () => {
  it.each([
    ['Ed25519', ['genpkey', '-algorithm', 'ed25519'], /type ed25519.*use RSA, EC/],
    ['Ed448', ['genpkey', '-algorithm', 'ed448'], /type ed448.*use RSA, EC/],
    ['RSA-PSS', ['genpkey', '-algorithm', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'], /RSA key for PSS alone/],
    ['secp256k1', ['genpkey', '-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], /secp256k1: use RSA, EC/],
  ])('%s, with the cure', async (_, args, message) => {
    await lab.openssl(...args, '-out', 'odd.key')
    expect(await rejection(pemIdentity(files('ec.crt', 'odd.key')))).toMatchObject({
      code: 'ERR_RA_KEY',
      message: expect.stringMatching(message),
    })
  })

  it('a certificate for such a key', async () => {
    await lab.leaf('ed', ['-newkey', 'ed25519'])
    expect(await rejection(pemIdentity(files('ed.crt', 'ec.key')))).toMatchObject({
      code: 'ERR_RA_CERTIFICATE',
      message: expect.stringMatching(/ed25519/),
    })
  })

  it("OpenSSL's old encryption, OpenSSH, TPM keys, DER", async () => {
    await lab.openssl(
      'rsa',
      '-in',
      'rsa.key',
      '-traditional',
      '-aes128',
      '-passout',
      `pass:${PASSWORD}`,
      '-out',
      'legacy.key',
    )
    expect(await lab.text('legacy.key')).toContain('Proc-Type: 4,ENCRYPTED')
    await lab.openssl('pkcs8', '-topk8', '-nocrypt', '-in', 'ec.key', '-outform', 'DER', '-out', 'der.key')
    await lab.write('ssh.key', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n')
    await lab.write('tpm.key', '-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n')
    for (const [key, message] of [
      ['legacy.key', /old way: .*openssl pkcs8 -topk8/],
      ['ssh.key', /ssh-keygen -p -m PKCS8/],
      ['tpm.key', /TPM/],
      ['der.key', /may be DER: openssl pkey -inform der/],
      ['ec.crt', /is not there: it has to be PEM/],
    ] as const) {
      const error = await rejection(pemIdentity({ ...files('rsa.crt', key), password: PASSWORD }))
      expect(error).toMatchObject({ code: 'ERR_RA_KEY', message: expect.stringMatching(message) })
    }
  })

  it('files that are missing, empty, no files, too large, or closed to us, each in its own words', async () => {
    await lab.write('empty.key', '')
    await lab.write('large.key', Buffer.alloc(1_048_577, 'x'))
    for (const [key, message] of [
      ['missing.key', /missing.key is not there/],
      ['empty.key', /empty.key is empty/],
      ['large.key', /large.key has more than/],
      ['.', /is not a regular file/],
      ['ec.key/x', /ENOTDIR/],
    ] as const) {
      expect(await rejection(pemIdentity(files('ec.crt', key)))).toMatchObject({
        code: 'ERR_RA_FILE',
        message: expect.stringMatching(message),
      })
    }
    expect(await rejection(pemIdentity(files('missing.crt', 'ec.key')))).toMatchObject({ code: 'ERR_RA_FILE' })
  })

  it('keys and certificates that are cut off or damaged, and never repeats them', async () => {
    const key = await lab.text('ec.key')
    const body = key.split('\n')[1] as string
    await lab.write('cut.key', key.slice(0, 100))
    await lab.write('bad.key', key.replace(body, `${body.slice(0, -1)}*`))
    await lab.write('wrong.key', key.replace(body, `AAAA${body.slice(4)}`))
    await lab.write('cut.crt', (await lab.text('ec.crt')).slice(0, 100))
    await lab.write('wrong.crt', '-----BEGIN CERTIFICATE-----\nMAMBAf8=\n-----END CERTIFICATE-----\n')
    await lab.openssl('x509', '-in', 'ec.crt', '-outform', 'DER', '-out', 'der.crt')
    for (const [crt, name, code, message] of [
      ['ec.crt', 'cut.key', 'ERR_RA_KEY', /PRIVATE KEY block has no end/],
      ['ec.crt', 'bad.key', 'ERR_RA_KEY', /is not base64/],
      ['ec.crt', 'wrong.key', 'ERR_RA_KEY', /can not be read/],
      ['cut.crt', 'ec.key', 'ERR_RA_CERTIFICATE', /CERTIFICATE block has no end/],
      ['wrong.crt', 'ec.key', 'ERR_RA_CERTIFICATE', /can not be read/],
      ['der.crt', 'ec.key', 'ERR_RA_CERTIFICATE', /may be DER: openssl x509 -inform der/],
      ['ec.key', 'ec.key', 'ERR_RA_CERTIFICATE', /no certificate/],
    ] as const) {
      const error = await rejection(pemIdentity(files(crt, name)))
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
      expect(JSON.stringify([error.message, error.cause])).not.toContain(body.slice(8, 40))
    }
  })

  it('a key of another certificate, of the same kind or another', async () => {
    expect(await rejection(pemIdentity(files('ec.crt', 'other.key')))).toMatchObject({
      code: 'ERR_RA_MISMATCH',
      message: expect.stringMatching(/other.key is not that of the certificate in .*ec.crt: /),
    })
    expect(await rejection(pemIdentity(files('ec.crt', 'rsa.key')))).toMatchObject({
      code: 'ERR_RA_MISMATCH',
      message: expect.stringMatching(/an RSA key, the certificate is for an EC key/),
    })
  })

  it('a key of another kind, without an error of OpenSSL that hits the next call', async () => {
    for (const key of ['rsa.key', 'p384.key', 'p521.key']) {
      expect((await rejection(pemIdentity(files('ec.crt', key)))).code).toBe('ERR_RA_MISMATCH')
      expect(await signs(await current(files('rsa.crt', 'rsa.key')))).toBe(true)
    }
  })

  it('an RSA key whose signatures do not hold, although its public part fits', async () => {
    const jwk = createPrivateKey(await lab.text('rsa.key')).export({ format: 'jwk' })
    const flip = (text = '') => (text.startsWith('A') ? `B${text.slice(1)}` : `A${text.slice(1)}`)
    const damaged = { ...jwk, d: flip(jwk.d), dp: flip(jwk.dp), dq: flip(jwk.dq) }
    const key = createPrivateKey({ key: damaged, format: 'jwk' }).export({ format: 'pem', type: 'pkcs8' })
    await lab.write('damaged.key', key)
    expect((await rejection(pemIdentity(files('rsa.crt', 'damaged.key')))).code).toBe('ERR_RA_KEY')
  })

  it('options that are none', () => {
    expect(() => pemIdentity({} as never)).toThrow(TypeError)
    expect(() => pemIdentity({ certificateFile: '' })).toThrow(TypeError)
    expect(() => pemIdentity({ certificateFile: 'a', privateKeyFile: 7 as never })).toThrow(TypeError)
  })
})

describe('chain', () => {
  it('sends intermediates alone, the issuer of the leaf first, whatever order they are in', async () => {
    const parts = await Promise.all(
      ['root.crt', 'other.crt', 'ec.crt', 'intermediate.crt', 'intermediate.crt'].map((it) => lab.text(it)),
    )
    await lab.write('bundle.pem', parts.join('# text\n'))
    const identity = await current({ ...files('ec.crt', 'ec.key'), intermediatesFile: lab.path('bundle.pem') })
    expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
  })

  it('refuses a bundle with something else, or cut off; takes one without certificates', async () => {
    await lab.write('mixed.pem', (await lab.text('intermediate.crt')) + (await lab.text('intermediate.key')))
    await lab.write('cut.pem', (await lab.text('intermediate.crt')).slice(0, 200))
    await lab.write('none.pem', '# none yet\n')
    const withBundle = (name: string) =>
      pemIdentity({ ...files('ec.crt', 'ec.key'), intermediatesFile: lab.path(name) })
    expect(await rejection(withBundle('mixed.pem'))).toMatchObject({
      code: 'ERR_RA_CHAIN',
      message: expect.stringMatching(/PRIVATE KEY is in .*mixed.pem/),
    })
    expect(await rejection(withBundle('cut.pem'))).toMatchObject({ code: 'ERR_RA_CHAIN' })
    expect((await withBundle('none.pem').current()).chain).toEqual([])
  })

  it('warns where no intermediate is of the leaf, and goes on: the service may trust it all the same', async () => {
    const { seen, onWarning } = warnings()
    const identity = await current({
      ...files('ec.crt', 'ec.key'),
      intermediatesFile: lab.path('other.crt'),
      onWarning,
    })
    expect(identity.chain).toEqual([])
    expect(seen).toEqual([
      { code: 'WARN_RA_CHAIN', message: expect.stringMatching(/no certificate in .*other.crt issued the leaf/) },
    ])
  })
})

it('warns once of a key file that others can read, and uses it', async () => {
  const { seen, onWarning } = warnings()
  const key = await lab.text('ec.key')
  for (const [mode, count] of [
    [0o600, 0],
    [0o640, 0],
    [0o644, 1],
  ] as const) {
    seen.length = 0
    await chmod(await lab.write('exposed.key', key), mode)
    const source = pemIdentity({ ...files('ec.crt', 'exposed.key'), onWarning })
    await source.current()
    await source.current()
    expect(seen.map((it) => it.code)).toEqual(Array(count).fill('WARN_RA_KEY_EXPOSED'))
  }
})

it('turns all away after close, and when aborted', async () => {
  const source = pemIdentity(files('ec.crt', 'ec.key'))
  const signal = AbortSignal.abort()
  await expect(source.current({ signal })).rejects.toMatchObject({ code: 'ERR_RA_ABORTED' })
  await source.current()
  await source.close()
  await source.close()
  expect((await rejection(source)).code).toBe('ERR_RA_CLOSED')
})

it('S: signs the string to sign of the worked example as it should', async () => {
  await lab.write('a.key', vectors.keyPem)
  await lab.write('a.crt', vectors.certPem)
  const identity = await current(files('a.crt', 'a.key'))
  const { stringToSign, signature } = vectors.A_minimal
  expect(Buffer.from(await identity.sign(Buffer.from(stringToSign), 'sha256')).toString('hex')).toBe(signature)
  expect(createHash('sha256').update(Buffer.from(signature, 'hex')).digest('hex')).toBe(
    '8aba7b5bf76a8526b2981524bd499d34f2c55dcb247911c355e3864c5b94e237',
  )
})
