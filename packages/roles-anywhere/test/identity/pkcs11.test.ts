import { verify, X509Certificate } from 'node:crypto'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { openPkcs11Key } from '../../src/identity/open-pkcs11-key.ts'
import { type Pkcs11IdentityInit, pkcs11Identity } from '../../src/identity/pkcs11.ts'
import type { X509IdentitySource } from '../../src/index.ts'
import { createLab, type Lab, MESSAGE, RSA, rejection, signs, subjects, warnings } from './lab.ts'

let lab: Lab
let softHsm: TestSoftHsm
const HASHES = ['sha256', 'sha384', 'sha512'] as const

/** A key and its certificate, in the token under one label and id. */
async function put(name: string, id: string, label = name, ...more: string[]): Promise<void> {
  await lab.openssl('pkey', '-in', `${name}.key`, '-outform', 'DER', '-out', `${name}.key.der`)
  await softHsm.tool(
    '--write-object',
    lab.path(`${name}.key.der`),
    '--type',
    'privkey',
    '--id',
    id,
    '--label',
    label,
    '--usage-sign',
    '--sensitive',
    ...more,
  )
}
async function putCertificate(name: string, id: string, label = name): Promise<void> {
  await lab.openssl('x509', '-in', `${name}.crt`, '-outform', 'DER', '-out', `${name}.der`)
  await softHsm.tool('--write-object', lab.path(`${name}.der`), '--type', 'cert', '--id', id, '--label', label)
}

beforeAll(async () => {
  lab = await createLab()
  softHsm = await createSoftHsm()
  await lab.leaf('rsa', RSA)
  await lab.leaf('ec')
  await lab.leaf('p384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'])
  await lab.leaf('alone')
  await put('rsa', '01')
  await put('ec', '02')
  await put('p384', '05')
  await put('rsa', '03', 'rsa-pin', '--always-auth')
  await put('ec', '04', 'ec-pin', '--always-auth')
  await put('alone', '06')
  await lab.leaf('lonely')
  await put('lonely', '07', 'lonely', '--always-auth')
  for (const [name, id] of [
    ['rsa', '01'],
    ['ec', '02'],
    ['p384', '05'],
    ['intermediate', '77'],
    ['root', '78'],
  ] as const)
    await putCertificate(name, id)
  await putCertificate('ec', '04', 'ec-pin')
  softHsm.activate()
})
afterAll(async () => {
  await softHsm.remove()
  await lab.remove()
})

const opened: X509IdentitySource[] = []
afterEach(async () => {
  for (const it of opened.splice(0)) await it.close()
})
function open(init: Pkcs11IdentityInit): X509IdentitySource {
  const source = pkcs11Identity(init)
  opened.push(source)
  return source
}
/** URI with the PIN; `names` as in `object=rsa;type=private`. */
const uri = (names = '', query = `pin-value=${softHsm.pin}`) =>
  `pkcs11:token=${softHsm.tokenLabel}${names && `;${names}`}?module-path=${softHsm.modulePath}${query && `&${query}`}`
const bare = (names = '') => `pkcs11:token=${softHsm.tokenLabel}${names && `;${names}`}`

describe('pkcs11Identity', () => {
  it.each(['rsa', 'ec', 'p384'])('%s: certificate alone, key alone, both, certificate in a file', async (name) => {
    for (const init of [
      { certificate: uri(`object=${name}`) },
      { privateKey: uri(`object=${name}`) },
      { certificate: uri(`object=${name};type=cert`), privateKey: uri(`object=${name};type=private`) },
      { certificateFile: lab.path(`${name}.crt`), privateKey: uri(`object=${name}`) },
      { certificateFile: lab.path(`${name}.crt`), privateKey: uri() }, // whichever of the token's keys it is
    ]) {
      const source = open(init)
      const identity = await source.current()
      expect(source.name).toBe('pkcs11')
      for (const hash of HASHES) expect(await signs(identity, hash)).toBe(true)
      expect(subjects([identity.certificate])).toEqual([`CN=${name}.example.com`])
      expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com']) // by signature, of all that the token has
      expect(await source.current()).toBe(identity)
      await source.close()
      expect((await rejection(source)).code).toBe('ERR_RA_CLOSED')
    }
  })

  it.each([
    ['of the URI', () => ({ certificate: uri('object=ec') })],
    ['of a file', () => ({ certificate: uri('object=ec', `pin-source=file:${softHsm.pinFile}`) })],
    ['of the other URI', () => ({ certificate: uri('object=ec'), privateKey: bare('object=ec') })],
    ['as an option', () => ({ certificate: uri('object=ec', ''), pin: softHsm.pin })],
    [
      'as an option before that of the URI',
      () => ({ certificate: uri('object=ec', 'pin-value=0000'), pin: softHsm.pin }),
    ],
    ['of who is asked', () => ({ certificate: uri('object=ec', ''), pin: () => Promise.resolve(softHsm.pin) })],
  ] as const)('takes the PIN %s', async (_, init) => {
    expect(await signs(await open(init()).current())).toBe(true)
  })

  it('takes the module of the option', async () => {
    const source = open({ certificate: bare('object=ec'), modulePath: softHsm.modulePath, pin: softHsm.pin })
    expect(await signs(await source.current())).toBe(true)
  })

  it.each(['rsa', 'ec'])('M: gives the PIN again for each signature where the key wants that: %s', async (name) => {
    for (const init of [
      { certificateFile: lab.path(`${name}.crt`), privateKey: uri(`object=${name}-pin`) },
      ...(name === 'ec' ? [{ certificate: uri('object=ec-pin') }] : []),
    ]) {
      const identity = await open(init).current()
      for (const hash of HASHES) expect(await signs(identity, hash)).toBe(true)
    }
  })

  it('M: takes EC keys without a public key in the token, each by its certificate, also always-authenticate ones', async () => {
    const init = { privateKey: uri('') } // every key of the token
    for (const name of ['alone', 'lonely']) {
      const source = open({ ...init, certificateFile: lab.path(`${name}.crt`) })
      const identity = await source.current()
      for (const hash of HASHES) expect(await signs(identity, hash)).toBe(true)
    }
  })

  it('takes a certificate that was renewed beside the one before, with the same key and CKA_ID', async () => {
    await lab.leaf('twice')
    await put('twice', '0b')
    await putCertificate('twice', '0b', 'twice 2026')
    await lab.certify('twice', 'twice.key', '-days', '60')
    await putCertificate('twice', '0b', 'twice 2027')
    for (const label of ['twice%202026', 'twice%202027']) {
      const identity = await open({ certificate: uri(`object=${label}`), privateKey: uri('object=twice') }).current()
      expect(await signs(identity)).toBe(true)
    }
    const init = { certificateFile: lab.path('twice.crt'), privateKey: uri('object=twice') }
    expect(await signs(await open(init).current())).toBe(true)
    expect(await rejection(open({ privateKey: uri('object=twice') }))).toMatchObject({ code: 'ERR_RA_KEY' })
    for (const label of ['twice 2026', 'twice 2027'])
      await softHsm.tool('--delete-object', '--type', 'cert', '--label', label)
  })

  it('sends the intermediates of a file instead, and warns where none is of the leaf', async () => {
    const { seen, onWarning } = warnings()
    const init = { certificate: uri('object=ec'), onWarning }
    expect(
      subjects((await open({ ...init, intermediatesFile: lab.path('intermediate.crt') }).current()).chain),
    ).toEqual(['CN=intermediate.example.com'])
    expect(seen).toEqual([])
    expect((await open({ ...init, intermediatesFile: lab.path('rsa.crt') }).current()).chain).toEqual([])
    expect(seen.map((it) => it.code)).toEqual(['WARN_RA_CHAIN'])
  })

  it('F: sees a certificate that was renewed in the token, or in its file', async () => {
    await lab.leaf('renewed')
    await put('renewed', '0a')
    await putCertificate('renewed', '0a')
    await lab.write('live.crt', await lab.text('renewed.crt'))
    const inToken = open({ certificate: uri('object=renewed') })
    const inFile = open({ certificateFile: lab.path('live.crt'), privateKey: uri('object=renewed') })
    const before = [await inToken.current(), await inFile.current()]
    await lab.certify('renewed', 'renewed.key', '-days', '60')
    await softHsm.tool('--delete-object', '--type', 'cert', '--id', '0a')
    await putCertificate('renewed', '0a')
    await lab.write('live.crt', await lab.text('renewed.crt'))
    const wanted = new X509Certificate(await lab.text('renewed.crt')).raw
    for (const [at, source] of [inToken, inFile].entries()) {
      const identity = await source.current()
      expect(Buffer.from(identity.certificate)).toEqual(wanted)
      expect(Buffer.from(before[at]!.certificate)).not.toEqual(wanted)
      expect(await signs(identity)).toBe(true)
      expect(await signs(before[at]!)).toBe(true) // who has the one of before may still use it
    }
  })

  it.each([
    [
      'certificates and keys of different kinds',
      () => ({ certificate: uri('object=rsa'), privateKey: uri('object=ec') }),
      'ERR_RA_MISMATCH',
      /that fits its URI is that of the certificate/,
    ],
    [
      'another key than that of the file',
      () => ({ certificateFile: lab.path('ec.crt'), privateKey: uri('object=alone') }),
      'ERR_RA_MISMATCH',
      /is that of the certificate/,
    ],
    [
      'no such certificate',
      () => ({ certificate: uri('object=none') }),
      'ERR_RA_SELECTOR',
      /no certificate in the token fits/,
    ],
    [
      'several certificates',
      () => ({ certificate: uri() }),
      'ERR_RA_SELECTOR',
      /certificates in the token fit the URI \(label and id: .*"ec" 02/,
    ],
    [
      'no such key',
      () => ({ certificateFile: lab.path('ec.crt'), privateKey: uri('object=none') }),
      'ERR_RA_KEY',
      /no private key in the token fits/,
    ],
    ['a certificate without its key', () => ({ certificate: uri('object=root') }), 'ERR_RA_KEY', /no private key/],
    ['several keys and no certificate', () => ({ privateKey: uri() }), 'ERR_RA_SELECTOR', /several private keys/],
    [
      'no such token',
      () => ({ certificate: uri('object=ec').replace('token=hardbound', 'token=none') }),
      'ERR_RA_DEVICE',
      /no token matches/,
    ],
    [
      'no such module',
      () => ({ certificate: uri('object=ec').replace('libsofthsm2.so', 'none.so') }),
      'ERR_RA_DEVICE',
      /none\.so/,
    ],
    ['no PIN', () => ({ certificate: uri('object=ec', '') }), 'ERR_RA_PASSWORD', /wants a PIN/],
    ['no URI', () => ({ certificate: 'pkcs11:object' }), 'ERR_RA_SELECTOR', /"certificate" is no PKCS #11 URI/],
  ] as const)('refuses %s', async (_, init, code, message) => {
    expect(await rejection(open(init()))).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it('M: tries a wrong PIN once, and says it nowhere', async () => {
    const init = { certificate: uri('object=ec', 'pin-value=987654') }
    const first = await rejection(open(init))
    expect(first).toMatchObject({ code: 'ERR_RA_PASSWORD' })
    const second = await rejection(open(init))
    expect(second).toMatchObject({ code: 'ERR_RA_PASSWORD', message: expect.stringMatching(/before/) })
    for (const it of [first, second]) expect(`${it.stack} ${String(it.cause)}`).not.toContain('987654')
    await softHsm.tool('--list-objects') // logs in, which clears the count
  })

  it('asks for the PIN again after a wrong one, and once when it was right', async () => {
    const pin = jest.fn(() => softHsm.pin).mockReturnValueOnce('987651')
    const source = open({ certificate: uri('object=ec', ''), pin, token: { tryPinWhenCountLow: true } })
    expect((await rejection(source)).code).toBe('ERR_RA_PASSWORD')
    await source.current()
    await source.current()
    expect(pin).toHaveBeenCalledTimes(2)
  })

  it('goes on when the token comes back', async () => {
    const source = open({ certificate: uri('object=ec'), token: { reconnectDelayMs: 0 } })
    const identity = await source.current()
    await softHsm.removeToken()
    await expect(identity.sign(Buffer.from('a'), 'sha256')).rejects.toMatchObject({
      name: 'RolesAnywhereError',
      code: expect.stringMatching(/ERR_RA_(DEVICE|KEY)/),
    })
    await softHsm.restoreToken()
    expect(await signs(await source.current())).toBe(true)
    expect(await signs(identity)).toBe(true)
  })

  it('refuses options that are none', () => {
    expect(() => pkcs11Identity({})).toThrow(TypeError)
    expect(() => pkcs11Identity({ certificateFile: 'a' })).toThrow(TypeError)
    expect(() => pkcs11Identity({ certificate: 'pkcs11:', certificateFile: 'a' })).toThrow(TypeError)
    expect(() => pkcs11Identity({ certificate: 'pkcs11:', intermediatesFile: '' })).toThrow(TypeError)
  })

  it('stops when aborted', async () => {
    const source = open({ certificate: uri('object=ec') })
    await expect(source.current({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_RA_ABORTED' })
    const identity = await source.current()
    await expect(identity.sign(Buffer.from('a'), 'sha256', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_RA_ABORTED',
    })
  })
})

describe('openPkcs11Key', () => {
  it.each(['rsa', 'ec', 'rsa-pin'])('signs with a key whose certificate does not matter: %s', async (name) => {
    const key = await openPkcs11Key({ privateKey: uri(`object=${name}`) })
    for (const hash of HASHES) {
      expect(verify(hash, MESSAGE, key.publicKey!, await key.sign(MESSAGE, hash))).toBe(true)
    }
    await key.close()
  })

  it('has the PIN from elsewhere, and the module', async () => {
    const { pin, modulePath } = softHsm
    const key = await openPkcs11Key({ privateKey: bare('object=ec'), pin: () => pin, modulePath })
    expect(key.keyType).toBe('ec')
    await key.close()
  })

  it.each([
    ['several', () => ({ privateKey: uri() }), 'ERR_RA_SELECTOR'],
    ['none', () => ({ privateKey: uri('object=none') }), 'ERR_RA_KEY'],
    ['one of which nothing public is known', () => ({ privateKey: uri('object=lonely') }), 'ERR_RA_KEY'],
    ['no PIN', () => ({ privateKey: uri('object=ec', '') }), 'ERR_RA_PASSWORD'],
  ])('refuses %s', async (_, init, code) => {
    expect(await rejection(openPkcs11Key(init()))).toMatchObject({ code })
  })
})
