import { createHash, verify, X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createObject, openToken } from '@hardbound/pkcs11'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { listIdentities } from '../../src/certificate-data.ts'
import { matchingCertificates } from '../../src/selector/select-certificate.ts'
import { pkcs11Store } from '../../src/store/pkcs11-store.ts'
import { selectedIdentity } from '../../src/store/selected-identity.ts'
import { type MadeCertificate, type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'

const MESSAGE = Buffer.from('a message')
let folder: OpensslFolder
let softHsm: TestSoftHsm
let first: MadeCertificate
let renewed: MadeCertificate
let rsa: MadeCertificate
let hidden: MadeCertificate

async function write({ name, der }: MadeCertificate, id: string, label: string, ...more: string[]): Promise<void> {
  await writeFile(`${softHsm.folder}/${name}.der`, der)
  await softHsm.tool(
    '--write-object',
    `${softHsm.folder}/${name}.der`,
    '--type',
    'cert',
    '--id',
    id,
    '--label',
    label,
    ...more,
  )
}
async function writeKey({ name, keyFile }: MadeCertificate, id: string, label: string): Promise<void> {
  const file = `${softHsm.folder}/${name}.key.der`
  await folder.run('pkey', '-in', keyFile, '-outform', 'DER', '-out', file)
  await softHsm.tool(
    '--write-object',
    file,
    '--type',
    'privkey',
    '--id',
    id,
    '--label',
    label,
    '--usage-sign',
    '--sensitive',
  )
}

/** CKO_CERTIFICATE, CKC_X_509, CKA_PRIVATE. pkcs11-tool leaves the latter out for certificates. */
async function writePrivate({ der }: MadeCertificate, uri: string): Promise<void> {
  const token = await openToken({ uri, pin: softHsm.pin, readWrite: true })
  const subject = Buffer.from(new X509Certificate(der).subject)
  await token.withSession((session) =>
    createObject(session, [
      { type: 0x0, value: 1 },
      { type: 0x80, value: 0 },
      { type: 0x1, value: true },
      { type: 0x2, value: true },
      { type: 0x3, value: 'hidden' },
      { type: 0x101, value: subject },
      { type: 0x11, value: der },
    ]),
  )
  await token.close()
}

beforeAll(async () => {
  folder = await opensslFolder()
  softHsm = await createSoftHsm()
  first = await folder.certificate({
    name: 'first',
    subject: ['CN = client', 'O = Example'],
    serial: '0x0A1B',
    days: 10,
  })
  rsa = await folder.certificate({ name: 'rsa', subject: ['CN = rsa'], newkey: ['rsa:2048'] })
  hidden = await folder.certificate({ name: 'hidden', subject: ['CN = hidden'] })
  renewed = await folder.certificate({ name: 'renewed', subject: ['CN = client', 'O = Example'], days: 20 })
  await write(first, '01', 'client')
  await writeKey(first, '01', 'key of client')
  await write(rsa, '0a02', 'rsa, with: signs')
  await writeKey(rsa, '0a02', 'rsa')
  softHsm.activate()
})
afterAll(async () => {
  await softHsm.remove()
  await folder.remove()
})

const store = (init = {}) => pkcs11Store({ uri: softHsm.uri(), ...init })

describe('pkcs11Store', () => {
  it('lists certificates without a PIN, by URIs whose order stays', async () => {
    const listed = await pkcs11Store({ modulePath: softHsm.modulePath }).list()
    const place =
      `manufacturer=SoftHSM%20project;serial=${softHsm.serial};model=SoftHSM%20v2;` +
      'slot-manufacturer=SoftHSM%20project;slot-description=SoftHSM%20slot%20ID%200x'
    expect(listed.map(({ uri }) => uri).sort()).toEqual([
      expect.stringMatching(new RegExp(`^pkcs11:${place}[0-9a-f]+;object=client;type=cert;id=%01$`)),
      expect.stringMatching(new RegExp(`^pkcs11:${place}[0-9a-f]+;object=rsa,%20with:%20signs;type=cert;id=%0A%02$`)),
    ])
    const [match] = matchingCertificates(listed, { x509Subject: 'CN=client,O=Example' })
    const text = listIdentities([{ details: match!.details, uri: match!.entry.uri }])
    expect(text).toContain(`\nSerial Number: A1B\nURI: ${match!.entry.uri}\n\n`)
  })

  it('lists what the URI names alone', async () => {
    expect(await store({ uri: softHsm.uri('client') }).list()).toHaveLength(1)
    expect(await store({ uri: softHsm.uri('none') }).list()).toEqual([])
    expect(await store({ uri: `pkcs11:token=other?module-path=${softHsm.modulePath}` }).list()).toEqual([])
  })

  it.each(['client', 'rsa'])('signs with the key of the certificate that was selected: %s', async (x509SubjectCN) => {
    const source = selectedIdentity({ store: store(), selector: { x509SubjectCN } })
    const { certificate, sign } = await source.current()
    const signature = await sign(MESSAGE, 'sha256')
    expect(verify('sha256', MESSAGE, new X509Certificate(certificate).publicKey, signature)).toBe(true)
    await source.close()
    await expect(source.current()).rejects.toMatchObject({ code: 'ERR_RA_CLOSED' })
  })

  it('tells a renewed certificate from the one with the same name and label', async () => {
    await write(renewed, '03', 'client')
    await writeKey(renewed, '03', 'key of client')
    const selector = { x509SubjectCN: 'client' }
    await expect(selectedIdentity({ store: store(), selector }).current()).rejects.toThrow(
      'multiple matching identities (2)',
    )
    const source = selectedIdentity({ store: store(), selector, useLatestExpiring: true })
    expect(renewed.der.equals((await source.current()).certificate)).toBe(true)
    await source.close()
    const before = selectedIdentity({ store: store(), selector: { x509Serial: 'a1b' } })
    expect(first.der.equals((await before.current()).certificate)).toBe(true)
    await before.close()
  })

  it('takes either certificate of one key, as after a renewal under the same CKA_ID', async () => {
    const one = await folder.certificate({ name: 'same', subject: ['CN = same'], days: 10 })
    const two = await folder.certificate({ name: 'same-again', subject: ['CN = same'], days: 20, keyFile: one.keyFile })
    await write(one, '08', 'same')
    await write(two, '08', 'same')
    await writeKey(one, '08', 'same')
    for (const [it, init] of [
      [one, { x509Thumbprint: createHash('sha256').update(one.der).digest('hex') }],
      [two, { x509SubjectCN: 'same' }],
    ] as const) {
      const source = selectedIdentity({ store: store(), selector: init, useLatestExpiring: true })
      const { certificate, sign } = await source.current()
      expect(it.der.equals(certificate)).toBe(true)
      const { publicKey } = new X509Certificate(it.der)
      expect(verify('sha256', MESSAGE, publicKey, await sign(MESSAGE, 'sha256'))).toBe(true)
      await source.close()
    }
  })

  it('logs in to look for certificates that are private, where there is a PIN', async () => {
    await softHsm.addToken('second')
    const uri = `pkcs11:token=second?module-path=${softHsm.modulePath}`
    await writePrivate(hidden, uri)
    expect(await pkcs11Store({ uri }).list()).toEqual([])
    expect(await pkcs11Store({ uri, pin: () => softHsm.pin }).list()).toEqual([]) // nobody is asked for a list
    const [found] = await pkcs11Store({ uri, pin: softHsm.pin }).list()
    expect(hidden.der.equals(found!.certificate)).toBe(true)
    expect(found!.location).not.toContain(softHsm.pin)
  })

  it('refuses a key that is not there, a wrong PIN, and a missing one', async () => {
    const other = await folder.certificate({ name: 'lonely' })
    await write(other, '77', 'lonely')
    const [found] = await store({ uri: softHsm.uri('lonely') }).list()
    await expect(store().open(found!)).rejects.toMatchObject({ code: 'ERR_RA_KEY' })
    const uri = `pkcs11:token=${softHsm.tokenLabel}?module-path=${softHsm.modulePath}`
    await expect(pkcs11Store({ uri }).open(found!)).rejects.toMatchObject({ code: 'ERR_RA_PASSWORD' })
    await expect(pkcs11Store({ uri, pin: '9999' }).open(found!)).rejects.toMatchObject({
      code: 'ERR_RA_PASSWORD',
      message: expect.not.stringContaining('9999'),
    })
  })

  it('refuses what is no URI, and a module that is not there', async () => {
    expect(() => pkcs11Store({ uri: '/etc/pki' })).toThrow(TypeError)
    await expect(pkcs11Store({ uri: 'pkcs11:nonsense' }).list()).rejects.toMatchObject({ code: 'ERR_RA_SELECTOR' })
    await expect(pkcs11Store({ modulePath: '/usr/lib/none.so' }).list()).rejects.toMatchObject({
      code: 'ERR_RA_DEVICE',
    })
  })
})
