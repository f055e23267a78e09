import { constants, privateEncrypt, sign, verify, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { selectedIdentity } from '../../src/store/selected-identity.ts'
import { windowsStore } from '../../src/store/windows-store.ts'
import { asMlDsa, type MadeCertificate, type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'
import { fakeKoffi } from './native/fake-koffi.ts'

const MESSAGE = Buffer.from('a message')
const SILENT = 0x40
const RSA_SHA256_PREFIX = Buffer.from('3031300d060960864801650304020105000420', 'hex')

let folder: OpensslFolder
let ec: MadeCertificate
let rsa: MadeCertificate
let ca: MadeCertificate
const keys = new Map<string, string>()

beforeAll(async () => {
  folder = await opensslFolder()
  const root = await folder.certificate({
    name: 'root',
    subject: ['CN = Root'],
    extensions: ['basicConstraints = critical, CA:TRUE'],
  })
  ca = await folder.certificate({
    name: 'ca',
    subject: ['CN = CA'],
    extensions: ['basicConstraints = critical, CA:TRUE'],
    issuer: root.name,
  })
  ec = await folder.certificate({ name: 'ec', subject: ['CN = ec'], issuer: 'ca' })
  rsa = await folder.certificate({ name: 'rsa', subject: ['CN = rsa'], newkey: ['rsa:2048'] })
  for (const it of [ec, rsa]) keys.set(it.name, await readFile(it.keyFile, 'utf8'))
})
afterAll(() => folder.remove())

/** Windows, as far as the store asks it; counts what has to be given back. */
function fakeWindows(machine: Record<string, () => readonly MadeCertificate[]>, { asks = false, breaks = false } = {}) {
  const live = { stores: 0, contexts: 0, keys: 0 }
  const opened: unknown[] = []
  const statuses: number[] = []
  const contextOf = ({ name, der }: MadeCertificate) => {
    live.contexts += 1
    return { name, value: { encoding: 1, der: { value: der }, length: der.length, info: null, store: null } }
  }
  type Context = ReturnType<typeof contextOf>
  const koffi = fakeKoffi({
    CertOpenStore(provider: number, _: number, __: number, flags: number, name: string) {
      opened.push([provider, flags, name])
      const certificates = machine[name]?.()
      if (certificates === undefined) return null
      live.stores += 1
      return { certificates, at: 0 }
    },
    CertCloseStore(_store: unknown, flags: number) {
      expect(flags).toBe(0)
      live.stores -= 1
      return 1
    },
    CertEnumCertificatesInStore(store: { certificates: MadeCertificate[]; at: number }, previous: unknown) {
      if (previous !== null) live.contexts -= 1
      const next = store.certificates[store.at++]
      return next === undefined ? null : contextOf(next)
    },
    CertDuplicateCertificateContext(context: Context) {
      live.contexts += 1
      return context
    },
    CertFreeCertificateContext() {
      live.contexts -= 1
      return 1
    },
    CryptAcquireCertificatePrivateKey(
      { name }: Context,
      flags: number,
      _: null,
      key: unknown[],
      __: unknown,
      owned: number[],
    ) {
      expect(flags).toBe(0x40004)
      if (!keys.has(name)) return 0
      live.keys += 1
      key[0] = name
      owned[0] = 1
      return 1
    },
    NCryptSignHash(
      key: string,
      padding: { algorithm: string } | null,
      digest: Buffer,
      _: number,
      signature: Buffer,
      __: number,
      length: number[],
      flags: number,
    ) {
      const status = asks && (flags & SILENT) !== 0 ? 0x80090022 | 0 : breaks ? 0x80090016 | 0 : 0
      statuses.push(status)
      if (status !== 0) return status
      const pem = keys.get(key)!
      expect(flags & ~SILENT).toBe(padding === null ? 0 : 2)
      if (padding !== null) expect(padding).toEqual({ algorithm: 'SHA256' })
      const made =
        padding === null
          ? sign('sha256', MESSAGE, { key: pem, dsaEncoding: 'ieee-p1363' })
          : privateEncrypt(
              { key: pem, padding: constants.RSA_PKCS1_PADDING },
              Buffer.concat([RSA_SHA256_PREFIX, digest]),
            )
      length[0] = made.copy(signature)
      return 0
    },
    NCryptFreeObject() {
      live.keys -= 1
      return 0
    },
  })
  return { koffi, live, opened, statuses }
}

let windows: ReturnType<typeof fakeWindows>
afterEach(() => expect(windows.live).toEqual({ stores: 0, contexts: 0, keys: 0 }))

describe('windowsStore', () => {
  it.each(['ec', 'rsa'])('signs with the key that belongs to a certificate: %s', async (x509SubjectCN) => {
    windows = fakeWindows({ MY: () => [ec, rsa], CA: () => [ca, rsa] })
    const source = selectedIdentity({ store: windowsStore({ koffi: windows.koffi }), selector: { x509SubjectCN } })
    const { certificate, chain, keyType, sign: signMessage } = await source.current()
    const signature = await signMessage(MESSAGE, 'sha256')
    expect(verify('sha256', MESSAGE, new X509Certificate(certificate).publicKey, signature)).toBe(true)
    expect(keyType).toBe(x509SubjectCN)
    expect(chain.map((it) => Buffer.from(it))).toEqual(keyType === 'ec' ? [ca.der] : [])
    expect(windows.statuses).toEqual([0])
    await source.close()
    await expect(signMessage(MESSAGE, 'sha256')).rejects.toMatchObject({ code: 'ERR_RA_CLOSED' })
  })

  it('has a person asked only where that is needed', async () => {
    windows = fakeWindows({ MY: () => [ec] }, { asks: true })
    const source = selectedIdentity({ store: windowsStore({ koffi: windows.koffi }) })
    await (await source.current()).sign(MESSAGE, 'sha256')
    expect(windows.statuses).toEqual([0x80090022 | 0, 0])
    await source.close()
  })

  it('gives out no signature that does not verify, and says what Windows said', async () => {
    windows = fakeWindows({ MY: () => [ec] })
    const source = selectedIdentity({ store: windowsStore({ koffi: windows.koffi }) })
    const identity = await source.current()
    await expect(identity.sign(Buffer.from('another'), 'sha256')).rejects.toMatchObject({ code: 'ERR_RA_KEY' })
    await source.close()

    windows = fakeWindows({ MY: () => [ec] }, { breaks: true })
    const broken = selectedIdentity({ store: windowsStore({ koffi: windows.koffi }) })
    await expect((await broken.current()).sign(MESSAGE, 'sha256')).rejects.toThrow('NCryptSignHash: 0x80090016')
    await broken.close()
  })

  it('opens the store that was named, by its usual name', async () => {
    windows = fakeWindows({ MY: () => [], Mine: () => [rsa] })
    const { koffi, opened } = windows
    expect(await windowsStore({ koffi, storeName: 'my', location: 'local-machine' }).list()).toEqual([])
    expect(await windowsStore({ koffi, storeName: 'Mine' }).list()).toHaveLength(1)
    expect(opened).toEqual([
      [10, 0x2c000, 'MY'],
      [10, 0x1c000, 'Mine'],
    ])
    await expect(windowsStore({ koffi, storeName: 'None' }).list()).rejects.toMatchObject({ code: 'ERR_RA_STORE' })
  })

  it('refuses a certificate without a key, and one that went away', async () => {
    let there = [ca]
    windows = fakeWindows({ MY: () => there })
    const store = windowsStore({ koffi: windows.koffi })
    const [found] = await store.list()
    await expect(store.open(found!)).rejects.toMatchObject({
      code: 'ERR_RA_MISMATCH',
      message: expect.stringContaining('CNG'),
    })
    there = []
    await expect(store.open(found!)).rejects.toMatchObject({
      code: 'ERR_RA_MISMATCH',
      message: expect.stringContaining('any more'),
    })
  })

  it('refuses an ML-DSA key, with which Windows would not sign', async () => {
    const ed25519 = await folder.certificate({ newkey: ['ed25519'] })
    windows = fakeWindows({ MY: () => [{ ...ed25519, der: asMlDsa(ed25519.der, 'ML-DSA-65') }] })
    const source = selectedIdentity({ store: windowsStore({ koffi: windows.koffi }) })
    await expect(source.current()).rejects.toMatchObject({
      code: 'ERR_RA_KEY',
      message: expect.stringContaining('ML-DSA'),
    })
  })

  it('looks at 1024 certificates and no more', async () => {
    windows = fakeWindows({ MY: () => Array.from({ length: 1_100 }, () => rsa) })
    expect(await windowsStore({ koffi: windows.koffi }).list()).toHaveLength(1_024)
  })

  it('refuses wrong options, and to go without koffi, or where the libraries are not there', async () => {
    expect(() => windowsStore({ storeName: '' })).toThrow(TypeError)
    expect(() => windowsStore({ location: 'everywhere' as 'current-user' })).toThrow(TypeError)
    await expect(windowsStore().list()).rejects.toMatchObject({ code: 'ERR_RA_STORE' })
    await expect(windowsStore({ koffi: fakeKoffi({}) }).list()).rejects.toMatchObject({ code: 'ERR_RA_STORE' })
  })
})
