import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { CertificateStore } from '../../src/store/certificate-store.ts'
import { pemFolderStore } from '../../src/store/pem-folder.ts'
import { selectedIdentity } from '../../src/store/selected-identity.ts'
import { type MadeCertificate, type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'

let made: OpensslFolder
let old: MadeCertificate
let renewed: MadeCertificate
let other: MadeCertificate
let ca: MadeCertificate
let folder: string

beforeAll(async () => {
  made = await opensslFolder()
  folder = join(made.path, 'store')
  old = await made.certificate({ name: 'old', subject: ['CN = client'], days: 10 })
  renewed = await made.certificate({ name: 'renewed', subject: ['CN = client'], days: 20 })
  other = await made.certificate({ name: 'other', subject: ['CN = other'], days: 30 })
  ca = await made.certificate({
    subject: ['CN = client'],
    extensions: ['basicConstraints = critical, CA:TRUE'],
    days: 40,
  })
})
beforeEach(async () => {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  for (const it of [old, other, ca]) await put(it)
})
afterAll(() => made.remove())

async function put({ name, certificateFile, keyFile }: MadeCertificate): Promise<void> {
  await copyFile(keyFile, join(folder, `${name}.key`))
  await copyFile(certificateFile, join(folder, `${name}.pem`))
}
const selector = { x509SubjectCN: 'client' }

describe('selectedIdentity', () => {
  it('takes the one that matches, authorities left out, and opens it once', async () => {
    const store = pemFolderStore({ folder })
    const open = jest.spyOn(store, 'open')
    const source = selectedIdentity({ store, selector })
    expect(source.name).toBe('pem-folder')
    const all = await Promise.all([1, 2, 3].map(() => source.current()))
    for (const { certificate } of all) expect(old.der.equals(certificate)).toBe(true)
    expect(open).toHaveBeenCalledTimes(1)
    await source.close()
  })

  it('finds a renewed certificate when it is next asked', async () => {
    const source = selectedIdentity({ store: pemFolderStore({ folder }), selector, useLatestExpiring: true })
    expect(old.der.equals((await source.current()).certificate)).toBe(true)
    await put(renewed)
    expect(renewed.der.equals((await source.current()).certificate)).toBe(true)
    await source.close()
  })

  it('S13: refuses several, and none', async () => {
    await put(renewed)
    const of = (init: object) => selectedIdentity({ store: pemFolderStore({ folder }), ...init }).current()
    await expect(of({ selector })).rejects.toThrow('multiple matching identities (2)')
    await expect(of({})).rejects.toThrow('multiple matching identities (3)')
    await expect(of({ selector: { x509SubjectCN: 'nobody' } })).rejects.toThrow('no matching identities')
  })

  it('refuses a selector that can match nothing when it is made', () => {
    const store = pemFolderStore({ folder })
    expect(() => selectedIdentity({ store, selector: { x509Serial: 'no' } })).toThrow('x509Serial')
  })

  it('S11: never gives another certificate than was selected', async () => {
    const store = pemFolderStore({ folder })
    const swapped: CertificateStore = {
      ...store,
      open: async (_, options) => {
        const [found] = (await store.list()).filter(({ certificate }) => other.der.equals(certificate))
        return store.open(found!, options)
      },
    }
    await expect(selectedIdentity({ store: swapped, selector }).current()).rejects.toMatchObject({
      code: 'ERR_RA_STORE',
    })
  })

  it('S11: goes on with the pair of before while the new one is not whole', async () => {
    const onWarning = jest.fn()
    const source = selectedIdentity({ store: pemFolderStore({ folder }), selector, useLatestExpiring: true, onWarning })
    const certificate = async () => Buffer.from((await source.current()).certificate)
    expect(await certificate()).toEqual(old.der)

    await copyFile(renewed.certificateFile, join(folder, 'renewed.pem')) // its key comes later
    expect(await certificate()).toEqual(old.der)
    expect(await certificate()).toEqual(old.der)
    expect(onWarning.mock.calls).toEqual([
      [{ code: 'WARN_RA_RELOAD', message: expect.stringContaining('renewed.pem') }],
    ])
    await put(renewed)
    expect(await certificate()).toEqual(renewed.der)

    await copyFile(other.keyFile, join(folder, 'renewed.key')) // in place, and half done
    await rm(join(folder, 'old.pem'))
    expect(await certificate()).toEqual(renewed.der)
    await rm(join(folder, 'renewed.pem'))
    expect(await certificate()).toEqual(renewed.der)
    await source.close()
  })

  it('lets a session that is under way end with the pair that it began with', async () => {
    const store = pemFolderStore({ folder })
    const closed: string[] = []
    const open: CertificateStore['open'] = async (stored, options) => {
      const source = await store.open(stored, options)
      return { ...source, close: async () => void closed.push(stored.location) }
    }
    const source = selectedIdentity({ store: { ...store, open }, selector, useLatestExpiring: true })
    await source.current()
    await put(renewed)
    await source.current()
    expect(closed).toEqual([])
    await rm(join(folder, 'renewed.pem'))
    await source.current()
    expect(closed).toEqual([join(folder, 'old.pem')])
    await source.close()
    expect(closed).toHaveLength(3)
  })

  it('S11: gives the pair of before also where its very files have the new one, and nothing was seen of it', async () => {
    const store = pemFolderStore({ folder })
    let blind = false
    const list = async () => (blind ? [] : store.list())
    const onWarning = jest.fn()
    const source = selectedIdentity({ store: { ...store, list }, selector, onWarning })
    await source.current()
    await copyFile(renewed.certificateFile, join(folder, 'old.pem'))
    await copyFile(renewed.keyFile, join(folder, 'old.key'))
    blind = true
    const { certificate, sign } = await source.current()
    expect(old.der.equals(certificate)).toBe(true)
    expect(await sign(Buffer.from('a'), 'sha256')).toBeInstanceOf(Uint8Array)
    expect(onWarning).toHaveBeenCalledTimes(1)
    blind = false
    expect(renewed.der.equals((await source.current()).certificate)).toBe(true)
    await source.close()
  })

  it('does not begin when it is aborted', async () => {
    const source = selectedIdentity({ store: pemFolderStore({ folder }), selector })
    await expect(source.current({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_RA_ABORTED' })
  })

  it('goes on after a failure, and ends when it is closed, with its store', async () => {
    const store = pemFolderStore({ folder })
    const close = jest.spyOn(store, 'close')
    const source = selectedIdentity({ store, selector })
    await rm(join(folder, 'old.key'))
    await expect(source.current()).rejects.toMatchObject({ code: 'ERR_RA_MISMATCH' })
    await put(old)
    const identity = await source.current()
    expect(old.der.equals(identity.certificate)).toBe(true)
    await source.close()
    await source.close()
    expect(close).toHaveBeenCalled()
    await expect(source.current()).rejects.toMatchObject({ code: 'ERR_RA_CLOSED' })
  })
})
