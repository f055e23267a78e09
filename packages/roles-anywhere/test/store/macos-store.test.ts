import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { macosStore } from '../../src/store/macos-store.ts'
import { selectedIdentity } from '../../src/store/selected-identity.ts'
import { type MadeCertificate, type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'
import { fakeKoffi } from './native/fake-koffi.ts'

const MESSAGE = Buffer.from('a message')
let folder: OpensslFolder
let ec: MadeCertificate
let rsa: MadeCertificate
const keys = new Map<string, string>()

beforeAll(async () => {
  folder = await opensslFolder()
  ec = await folder.certificate({ name: 'ec', subject: ['CN = ec'] })
  rsa = await folder.certificate({ name: 'rsa', subject: ['CN = rsa'], newkey: ['rsa:2048'] })
  for (const it of [ec, rsa]) keys.set(it.name, await readFile(it.keyFile, 'utf8'))
})
afterAll(() => folder.remove())

/** An object of Core Foundation, with its count of references. */
interface Ref {
  kind: string
  count: number
  value: unknown
}

const ALGORITHMS = ['ECDSASignatureDigestX962SHA256', 'RSASignatureDigestPKCS1v15SHA256']

function fakeMac(identities: readonly MadeCertificate[], { status = 0, refuses = false, keyStatus = 0 } = {}) {
  const live = new Set<Ref>()
  const algorithms: unknown[] = []
  const make = (kind: string, value: unknown): Ref => {
    const ref = { kind, count: 1, value }
    live.add(ref)
    return ref
  }
  const release = (ref: Ref): void => {
    expect(ref.count).toBeGreaterThan(0)
    ref.count -= 1
    if (ref.count > 0) return
    live.delete(ref)
    if (ref.kind === 'array') for (const it of ref.value as Ref[]) release(it)
  }
  const names = [
    'kSecClass',
    'kSecReturnRef',
    'kSecMatchLimit',
    'kSecMatchLimitAll',
    'kSecClassIdentity',
    'kSecClassCertificate',
  ]
  names.push('kCFBooleanTrue', 'kCFTypeDictionaryKeyCallBacks', 'kCFTypeDictionaryValueCallBacks')
  names.push(...ALGORITHMS.map((it) => `kSecKeyAlgorithm${it}`))
  const koffi = fakeKoffi(
    {
      CFRelease: release,
      CFRetain(ref: Ref) {
        ref.count += 1
        return ref
      },
      CFArrayGetCount: ({ value }: Ref) => BigInt((value as Ref[]).length),
      CFArrayGetValueAtIndex: ({ value }: Ref, index: number) => (value as Ref[])[index],
      CFDictionaryCreate: (_: null, keysOf: string[], values: string[], count: number) =>
        make('query', Object.fromEntries(keysOf.slice(0, count).map((key, index) => [key, values[index]]))),
      CFDataCreate: (_: null, octets: Buffer) => make('data', Buffer.from(octets)),
      CFDataGetLength: ({ value }: Ref) => (value as Buffer).length,
      CFDataGetBytePtr: (ref: Ref) => ref,
      CFErrorGetCode: ({ value }: Ref) => value,
      SecItemCopyMatching({ value }: Ref, found: unknown[]) {
        const { kSecClass, ...rest } = value as Record<string, string>
        expect(rest).toEqual({ kSecReturnRef: 'kCFBooleanTrue', kSecMatchLimit: 'kSecMatchLimitAll' })
        if (status !== 0) return status
        const kind = kSecClass === 'kSecClassIdentity' ? 'identity' : 'certificate'
        found[0] = make(
          'array',
          identities.map((it) => make(kind, it)),
        )
        return 0
      },
      SecIdentityCopyCertificate({ kind, value }: Ref, certificate: unknown[]) {
        expect(kind).toBe('identity')
        certificate[0] = make('certificate', value)
        return 0
      },
      SecCertificateCopyData: ({ value }: Ref) => make('data', (value as MadeCertificate).der),
      SecIdentityCopyPrivateKey({ value }: Ref, key: unknown[]) {
        if (keyStatus !== 0) return keyStatus
        key[0] = make('key', keys.get((value as MadeCertificate).name))
        return 0
      },
      SecKeyCreateSignature({ value }: Ref, algorithm: string, { kind }: Ref, error: unknown[]) {
        expect(kind).toBe('data')
        algorithms.push(algorithm)
        if (refuses) {
          error[0] = make('error', -128n)
          return null
        }
        return make('data', sign('sha256', MESSAGE, createPrivateKey(value as string)))
      },
    },
    Object.fromEntries(names.map((name) => [name, name])),
  )
  return { koffi, live, algorithms }
}

let mac: ReturnType<typeof fakeMac>
afterEach(() => expect([...mac.live]).toEqual([]))

describe('macosStore', () => {
  it.each(['ec', 'rsa'] as const)('signs with the key of an identity: %s', async (x509SubjectCN) => {
    mac = fakeMac([ec, rsa])
    const source = selectedIdentity({ store: macosStore({ koffi: mac.koffi }), selector: { x509SubjectCN } })
    const { certificate, sign: signMessage } = await source.current()
    const signature = await signMessage(MESSAGE, 'sha256')
    expect(verify('sha256', MESSAGE, new X509Certificate(certificate).publicKey, signature)).toBe(true)
    expect(mac.algorithms).toEqual([`kSecKeyAlgorithm${ALGORITHMS[x509SubjectCN === 'ec' ? 0 : 1]}`])
    await source.close()
  })

  it('is empty where the keychains have no identity, and says what else is wrong', async () => {
    mac = fakeMac([], { status: -25_300 })
    expect(await macosStore({ koffi: mac.koffi }).list()).toEqual([])
    mac = fakeMac([], { status: -25_308 })
    await expect(macosStore({ koffi: mac.koffi }).list()).rejects.toMatchObject({
      code: 'ERR_RA_STORE',
      message: expect.stringContaining('-25308'),
    })
  })

  it('says so where the key may not be used', async () => {
    mac = fakeMac([ec], { refuses: true })
    const source = selectedIdentity({ store: macosStore({ koffi: mac.koffi }) })
    await expect((await source.current()).sign(MESSAGE, 'sha256')).rejects.toMatchObject({
      code: 'ERR_RA_KEY',
      message: expect.stringContaining('-128'),
    })
    await source.close()
    mac = fakeMac([ec], { keyStatus: -25_300 })
    await expect(selectedIdentity({ store: macosStore({ koffi: mac.koffi }) }).current()).rejects.toMatchObject({
      code: 'ERR_RA_MISMATCH',
    })
  })

  it('refuses to go without koffi, or where the frameworks are not there', async () => {
    mac = fakeMac([])
    await expect(macosStore().list()).rejects.toMatchObject({ code: 'ERR_RA_STORE' })
  })
})
