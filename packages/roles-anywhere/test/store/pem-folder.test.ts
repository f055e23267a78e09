import { verify, X509Certificate } from 'node:crypto'
import { chmod, copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { CertificateStore } from '../../src/store/certificate-store.ts'
import { pemFolderStore } from '../../src/store/pem-folder.ts'
import { type MadeCertificate, type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'

const MESSAGE = Buffer.from('a message')
let made: OpensslFolder
let one: MadeCertificate
let two: MadeCertificate
let folder: string

beforeAll(async () => {
  made = await opensslFolder()
  one = await made.certificate({ subject: ['CN = one'] })
  two = await made.certificate({ subject: ['CN = two'] })
})
beforeEach(async () => {
  folder = join(made.path, 'store')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
})
afterAll(() => made.remove())

const put = (from: string, name: string): Promise<void> => copyFile(from, join(folder, name))

/** Opens the certificate with this name, and has it sign. */
async function signs(store: CertificateStore, { der }: MadeCertificate): Promise<boolean> {
  const stored = (await store.list()).find(({ certificate }) => Buffer.compare(certificate, der) === 0)
  const source = await store.open(stored!)
  const identity = await source.current()
  const signature = await identity.sign(MESSAGE, 'sha256')
  await source.close()
  expect(Buffer.compare(identity.certificate, der)).toBe(0)
  return verify('sha256', MESSAGE, new X509Certificate(der).publicKey, signature)
}

describe('pemFolderStore', () => {
  it('finds the key in a file of the same name, in the same file, and in any other', async () => {
    await put(one.certificateFile, 'b.pem')
    await put(one.keyFile, 'b.key')
    await put(two.certificateFile, 'a.crt')
    await put(two.keyFile, 'zzz-key.pem')
    const store = pemFolderStore({ folder })
    expect((await store.list()).map(({ location }) => location)).toEqual([join(folder, 'a.crt'), join(folder, 'b.pem')])
    expect(await signs(store, one)).toBe(true)
    expect(await signs(store, two)).toBe(true)

    await rm(join(folder, 'b.key'))
    await made.run('pkey', '-in', one.keyFile, '-out', join(folder, 'key-part'))
    await writeFile(join(folder, 'b.pem'), one.pem + (await made.run('pkey', '-in', one.keyFile)))
    expect(await signs(store, one)).toBe(true)
    await store.close()
  })

  it('opens encrypted keys with the password, and gives it to no other', async () => {
    await put(one.certificateFile, 'one.pem')
    await put(two.certificateFile, 'two.pem')
    await put(two.keyFile, 'two.key')
    await made.run(
      'pkey',
      '-in',
      one.keyFile,
      '-aes256',
      '-passout',
      'pass:correct horse',
      '-out',
      join(folder, 'one.key'),
    )
    const password = jest.fn(() => 'correct horse')
    const store = pemFolderStore({ folder, password })
    expect(await signs(store, one)).toBe(true)
    expect(password).toHaveBeenCalledTimes(1)
    expect(await signs(store, two)).toBe(true)
    expect(password).toHaveBeenCalledTimes(1)
    await expect(signs(pemFolderStore({ folder }), one)).rejects.toMatchObject({ code: 'ERR_RA_PASSWORD' })
    await expect(signs(pemFolderStore({ folder, password: 'wrong' }), one)).rejects.toMatchObject({
      code: 'ERR_RA_PASSWORD',
      message: expect.not.stringContaining('wrong"'),
    })
  })

  it('S11: says so where no key fits', async () => {
    await put(one.certificateFile, 'one.pem')
    await put(two.keyFile, 'one.key')
    await expect(signs(pemFolderStore({ folder }), one)).rejects.toMatchObject({ code: 'ERR_RA_MISMATCH' })
  })

  it('leaves out folders, other files, and what can not be read', async () => {
    await mkdir(join(folder, 'sub.pem'))
    await put(one.certificateFile, 'one.txt')
    await writeFile(join(folder, 'empty.pem'), '')
    await writeFile(join(folder, 'broken.pem'), '-----BEGIN CERTIFICATE-----\nMIIB')
    await put(two.certificateFile, 'two.pem')
    const store = pemFolderStore({ folder })
    expect((await store.list()).map(({ location }) => location)).toEqual([join(folder, 'two.pem')])
  })

  it('warns of keys that others may read', async () => {
    await put(one.certificateFile, 'one.pem')
    await put(one.keyFile, 'one.key')
    await chmod(join(folder, 'one.key'), 0o644)
    const onWarning = jest.fn()
    expect(await signs(pemFolderStore({ folder, onWarning }), one)).toBe(true)
    expect(onWarning).toHaveBeenCalledWith(expect.objectContaining({ code: 'WARN_RA_KEY_EXPOSED' }))
  })

  it('refuses a folder that is not there, and one with too much in it', async () => {
    await expect(pemFolderStore({ folder: join(folder, 'none') }).list()).rejects.toMatchObject({
      code: 'ERR_RA_STORE',
    })
    await Promise.all(Array.from({ length: 257 }, (_, i) => writeFile(join(folder, `${i}.pem`), 'x')))
    await expect(pemFolderStore({ folder }).list()).rejects.toThrow('256 at most')
    expect(() => pemFolderStore({ folder: '' })).toThrow(TypeError)
  })

  it('follows a certificate and key that are replaced by others under the same names', async () => {
    await put(one.certificateFile, 'c.pem')
    await put(one.keyFile, 'c.key')
    const store = pemFolderStore({ folder })
    expect(await signs(store, one)).toBe(true)
    await put(two.certificateFile, 'c.pem.new')
    await put(two.keyFile, 'c.key.new')
    await rename(join(folder, 'c.key.new'), join(folder, 'c.key'))
    await rename(join(folder, 'c.pem.new'), join(folder, 'c.pem'))
    expect(await signs(store, two)).toBe(true)
  })
})
