import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { startRolesAnywhere, type TestRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readCertificateDataText } from '../src/signing-helper/read-certificate-data.ts'
import { signString } from '../src/signing-helper/sign-string.ts'
import { asUri } from '../src/signing-helper/signer-pkcs11.ts'
import type { SignStringFlags } from '../src/signing-helper/types.ts'
import { type Certificates, makeCertificates, RSA } from './certificates.ts'
import { ANCHOR, ASKED, helper, PROFILE, ROLE } from './signing-helper.ts'
import { codeOf, type Lab, makeLab, onTerminal, readFlags, signStringFlags } from './signing-helper-lab.ts'

const NAMES = ['rsa-2048', 'ec-prime256v1'] as const
type Name = (typeof NAMES)[number]

// As upstream makes its token: keys with public keys and certificates; twins that want their PIN each time, without public keys; none
// of pkcs11-tool's is sensitive.
let lab: Certificates
let folder: Lab
let softHsm: TestSoftHsm
beforeAll(async () => {
  ;[lab, folder, softHsm] = await Promise.all([makeCertificates(), makeLab(), createSoftHsm()])
  softHsm.activate()
  await Promise.all([lab.leaf('rsa-2048', RSA), lab.leaf('ec-prime256v1')])
  for (const [at, name] of NAMES.entries()) {
    const write = async (type: string, file: string, label: string, id: number, ...more: string[]) => {
      const names = ['--label', label, '--id', `0${id}`]
      await softHsm.tool('--write-object', lab.at(file), '--type', type, ...names, ...more)
    }
    for (const [from, ...how] of [
      [`${name}.der`, 'x509', '-in', `${name}.crt`],
      [`${name}.key.der`, 'pkey', '-in', `${name}.key`],
      [`${name}.public.der`, 'pkey', '-in', `${name}.key`, '-pubout'],
    ] as const) {
      await lab.openssl(...how, '-outform', 'DER', '-out', from)
    }
    await write('privkey', `${name}.key.der`, name, at + 1, '--usage-sign')
    await write('pubkey', `${name}.public.der`, name, at + 1)
    await write('privkey', `${name}.key.der`, `${name}-always-auth`, at + 3, '--usage-sign', '--always-auth')
    await write('cert', `${name}.der`, name, at + 1)
  }
}, 60_000)
afterAll(async () => {
  await Promise.all([lab?.remove(), folder?.remove(), softHsm?.remove()])
})

const uri = (object = '', pin = `?pin-value=${softHsm.pin}`) =>
  `pkcs11:token=${softHsm.tokenLabel}${object && `;object=${object}`}${pin}`
const file = (name: Name) => lab.at(`${name}.crt`)
const sign = (given: Partial<SignStringFlags>) =>
  signString(signStringFlags({ 'pkcs11-lib': softHsm.modulePath, format: 'bin', ...given }))
async function publicKey(name: Name): Promise<string> {
  return (await lab.openssl('x509', '-in', `${name}.crt`, '-noout', '-pubkey')).toString()
}

describe.each(NAMES)('sign-string with a token and %s', (name) => {
  it.each([
    ['a certificate', () => ({ certificate: uri(name) })],
    ['a key', () => ({ 'private-key': uri(name) })],
    ['both', () => ({ certificate: uri(name), 'private-key': uri(name) })],
    ['a certificate in a file', () => ({ certificate: file(name), 'private-key': uri(name) })],
    [
      'a twin that wants its PIN',
      () => ({ certificate: uri(name), 'private-key': uri(`${name}-always-auth`), 'reuse-pin': true }),
    ],
    [
      'its certificate in a file',
      () => ({ certificate: file(name), 'private-key': uri(`${name}-always-auth`), 'reuse-pin': true }),
    ],
    ['a token in which two keys fit', () => ({ certificate: file(name), 'private-key': uri(), 'reuse-pin': true })],
    ['the PIN in the URI of the certificate', () => ({ certificate: uri(name), 'private-key': uri(name, '') })],
    ['the PIN in the URI of the key', () => ({ certificate: uri(name, ''), 'private-key': uri(name) })],
    ['the PIN in a file', () => ({ certificate: uri(name, `?pin-source=file:${softHsm.pinFile}`) })],
    ['no --reuse-pin', () => ({ certificate: file(name), 'private-key': uri(`${name}-always-auth`) })],
    [
      'the module in the URI',
      () => ({ 'pkcs11-lib': '', certificate: `${uri(name)}&module-path=${softHsm.modulePath}` }),
    ],
    ['the name of the module', () => ({ 'pkcs11-lib': 'libsofthsm2.so', certificate: uri(name) })],
  ])('signs with %s', async (_, given) => {
    for (const digest of ['SHA256', 'SHA512'] as const) {
      const signature = await sign({ ...given(), digest })
      expect(await folder.verifies(await publicKey(name), digest, signature)).toBe(true)
    }
  })
})

describe('sign-string with a token', () => {
  it('M11 refuses a certificate and a key of two kinds, in all eight ways', async () => {
    for (const [certificate, key] of [NAMES, NAMES.toReversed()]) {
      for (const from of [uri(certificate), file(certificate as Name)]) {
        for (const object of [key, `${key}-always-auth`]) {
          const given = { certificate: from, 'private-key': uri(object), 'reuse-pin': true }
          expect(await codeOf(sign(given), softHsm.pin)).toMatch(/^ERR_RA_(?:MISMATCH|KEY): /)
        }
      }
    }
  })

  it.each([
    ['several certificates', () => ({ certificate: uri() }), 'ERR_RA_SELECTOR'],
    ['several keys', () => ({ 'private-key': uri() }), 'ERR_RA_SELECTOR'],
    ['no such key', () => ({ 'private-key': uri('none') }), 'ERR_RA_KEY'],
    ['no such token', () => ({ certificate: 'pkcs11:token=none?pin-value=1234' }), 'ERR_RA_'],
    ['a URI that is none', () => ({ certificate: 'pkcs11:x' }), 'ERR_RA_SELECTOR'],
    [
      'M14 a module that is none',
      () => ({ 'pkcs11-lib': file('rsa-2048'), certificate: uri('rsa-2048') }),
      'ERR_RA_DEVICE',
    ],
    ['a module that is not there', () => ({ 'pkcs11-lib': 'none.so', certificate: uri('rsa-2048') }), '--pkcs11-lib'],
    [
      'an EC key of which nothing public is known',
      () => ({ 'private-key': uri('ec-prime256v1-always-auth') }),
      'ERR_RA_KEY',
    ],
  ])('F18 refuses %s', async (_, given, why) => {
    expect(await codeOf(sign(given()))).toContain(why)
  })

  it('M16 asks for a PIN that is in no URI, once, and shows nothing of it', async () => {
    const args = ['sign-string', '--pkcs11-lib', softHsm.modulePath, '--format', 'text', '--private-key']
    const twin = uri('rsa-2048-always-auth', '')
    const good = await onTerminal([...args, twin], `${softHsm.pin}\r`, softHsm.env)
    expect(good.code).toBe(0)
    expect(good.shown).toMatch(/User PIN of the token: [^\d]*[0-9a-f]{512}$/)
    const bad = await onTerminal([...args, twin], 'hunter2\r', softHsm.env)
    expect(bad.code).toBe(1)
    expect(bad.shown.match(/User PIN/g)).toHaveLength(1)
    expect(bad.shown).toContain('[ERR_RA_PASSWORD]')
    expect(bad.shown).not.toContain('hunter2')
    // Now the token says that a wrong PIN was given: one that stands in a URI would be tried for ever, so it is not.
    expect(await codeOf(sign({ certificate: uri('rsa-2048') }))).toContain('a wrong PIN was given')
    expect(await onTerminal([...args, twin], `${softHsm.pin}\r`, softHsm.env)).toMatchObject({ code: 0 })
    expect(await sign({ certificate: uri('rsa-2048') })).toHaveLength(256)
  })

  it('M13 says that a PIN in a URI can be seen, and uses it', async () => {
    const args = ['--pkcs11-lib', softHsm.modulePath, '--certificate', uri('rsa-2048', '?pin-value=1234')]
    const { code, stdout, stderr } = await helper(['sign-string', ...args], softHsm.env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^"[0-9a-f]{512}"$/)
    expect(stderr).toMatch(/^\S+ \S+ warning: pin-value in --certificate: .+\n$/)
  })
})

describe('credential-process with a token', () => {
  let service: TestRolesAnywhere
  beforeAll(async () => {
    service = await startRolesAnywhere()
    service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
    service.addProfile({ arn: PROFILE, roleArns: [ROLE] })
    await lab.openssl('x509', '-in', 'intermediate.crt', '-outform', 'DER', '-out', 'intermediate.der')
    await softHsm.tool('--write-object', lab.at('intermediate.der'), '--type', 'cert', '--id', '77', '--label', 'ca')
  })
  afterAll(() => service?.close())
  const session = (...flags: string[]) =>
    helper(['credential-process', ...ASKED, '--endpoint', service.endpoint, ...flags], softHsm.env)

  it.each([
    ['a certificate and its key', () => ['--certificate', uri('ec-prime256v1')], 'ECDSA'],
    [
      'a key that wants its PIN',
      () => ['--certificate', file('rsa-2048'), '--private-key', uri('rsa-2048-always-auth')],
      'RSA',
    ],
    ['a key, whose certificate lies beside it', () => ['--private-key', uri('rsa-2048')], 'RSA'],
  ])('signs with %s, and sends the chain that the token has', async (_, flags, algorithm) => {
    service.calls.length = 0
    const { code, stdout } = await session('--pkcs11-lib', softHsm.modulePath, ...flags())
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 })
    expect(service.calls).toMatchObject([{ algorithm: `AWS4-X509-${algorithm}-SHA256`, chainLength: 1 }])
  })

  it('takes p11-kit for the module where none is named', async () => {
    service.calls.length = 0
    const { code, stderr } = await session('--certificate', uri('ec-prime256v1'))
    expect({ code, calls: service.calls.length, stderr }).toMatchObject({ code: 0, calls: 1 })
  })
})

describe('read-certificate-data of a token', () => {
  const read = (certificate: string) =>
    readCertificateDataText(readFlags({ 'pkcs11-lib': softHsm.modulePath, certificate }))
  async function block(number: number, name: Name): Promise<string> {
    const [sha1, serial] = await Promise.all(
      ['-fingerprint', '-serial'].map(
        async (it) =>
          (await lab.openssl('x509', '-in', `${name}.crt`, '-noout', '-sha1', it)).toString().trim().split('=')[1]!,
      ),
    )
    return [
      `${number}) Hex Fingerprint: ${sha1!.replaceAll(':', '').toLowerCase()}`,
      `Subject: CN=${name}.example.com`,
      'Issuer: CN=intermediate.example.com',
      `Serial Number: ${serial!.replace(/^0+/, '')}`,
      '',
    ].join('\n')
  }

  it.each(NAMES)('lists the certificate that a URI names: %s', async (name) => {
    const text = await read(uri(name, ''))
    const id = NAMES.indexOf(name) + 1
    expect(text.startsWith(`Matching identities\n${await block(1, name)}URI: pkcs11:`)).toBe(true)
    expect(text).toMatch(new RegExp(`^URI: .*;serial=${softHsm.serial};.*;object=${name};.*;id=%0${id}\\n\\n$`, 'm'))
    expect(text.split('\n')).toHaveLength(8)
    expect(await read(`pkcs11:id=%0${id}`)).toBe(text)
  })

  it('lists all of them, of any token', async () => {
    const text = await read('pkcs11:')
    expect(text.match(/^\d\) /gm)).toEqual(['1) ', '2) ', '3) '])
    expect(await read(uri('', ''))).toHaveLength(text.length)
  })

  it('gives a URI that names the certificate', async () => {
    const [, own = ''] = /^URI: (.*)$/m.exec(await read(uri('ec-prime256v1', ''))) ?? []
    const signature = await sign({ certificate: `${own}?pin-value=${softHsm.pin}` })
    expect(await folder.verifies(await publicKey('ec-prime256v1'), 'SHA256', signature)).toBe(true)
  })

  it('says that there is none where it can know', async () => {
    expect(await read(uri('none'))).toBe('No matching identities\n')
    expect(await codeOf(read(uri('none', '')))).toContain('one matching slot, but no user PIN provided')
    expect(await codeOf(read('pkcs11:token=none'))).toContain('no matching slots')
    await softHsm.addToken('second')
    expect(await codeOf(read('pkcs11:object=none'))).toContain('multiple matching slots')
  })
})

describe('asUri', () => {
  it.each([
    ['pkcs11:token=my token/a;object=ü', 'pkcs11:token=my%20token%2fa;object=%c3%bc'],
    [
      'pkcs11:token=a%20b;id=%01%02?pin-value=1#2&module-path=/a b',
      'pkcs11:token=a%20b;id=%01%02?pin-value=1%232&module-path=/a%20b',
    ],
    ['pkcs11:', 'pkcs11:'],
    ['/etc/pki/my client.pem', '/etc/pki/my client.pem'],
  ])('encodes what should have been: %s', (text, expected) => {
    expect(asUri(text)).toBe(expected)
  })
})
