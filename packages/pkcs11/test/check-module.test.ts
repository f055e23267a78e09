import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { checkModulePath, loadModule } from '../src/index.ts'
import { faults } from './helpers.ts'

let folder: string
let good: string
const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so'

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'hardbound-modules-')))
  good = join(folder, 'good.so')
  await copyFile(SOFTHSM, good)
  await chmod(good, 0o644)
})
afterAll(() => rm(folder, { recursive: true }))

/** A copy of a module with some octets of its ELF header changed. */
async function altered(name: string, changes: Readonly<Record<number, number>>): Promise<string> {
  const file = join(folder, name)
  const octets = await readFile(good)
  for (const [at, octet] of Object.entries(changes)) octets[Number(at)] = octet
  await writeFile(file, octets, { mode: 0o644 })
  return file
}

const check = async (...args: Parameters<typeof checkModulePath>) => checkModulePath(...args)
const refusal = { code: 'ERR_PKCS11_MODULE' }

describe('checkModulePath', () => {
  it('follows links, and takes what packages install', async () => {
    expect(checkModulePath(SOFTHSM)).toBe(await realpath(SOFTHSM))
  })
  it('M14 takes a named folder or file', async () => {
    expect(checkModulePath(good, [folder])).toBe(good)
    expect(checkModulePath(good, [good, '/nowhere'])).toBe(good)
  })
  it.each(['module.so', './module.so', '../usr/lib/softhsm/libsofthsm2.so', '', '/usr/lib/\0'])(
    'M14 refuses %j, which is not absolute',
    async (path) => {
      await expect(check(path)).rejects.toMatchObject(refusal)
    },
  )
  it('M14 refuses what is outside of the allowed places', async () => {
    await expect(check(good)).rejects.toMatchObject(refusal)
    await expect(check(good, [`${folder}-not`, join(folder, 'go'), join(folder, 'deeper')])).rejects.toMatchObject(
      refusal,
    )
    await expect(check(`/usr/lib/../..${good}`)).rejects.toMatchObject(refusal)
  })
  it('M14 refuses a link out of the allowed places', async () => {
    await mkdir(join(folder, 'inside'))
    const link = join(folder, 'inside', 'link.so')
    await symlink(good, link)
    await expect(check(link, [join(folder, 'inside')])).rejects.toMatchObject(refusal)
    expect(checkModulePath(link, [folder])).toBe(good)
  })
  it('M14 refuses a file or a folder that others may write', async () => {
    const open = await altered('open.so', {})
    await chmod(open, 0o664)
    await expect(check(open, [folder])).rejects.toThrow('writable')
    await mkdir(join(folder, 'wide', 'deep'), { recursive: true })
    await copyFile(good, join(folder, 'wide', 'deep', 'a.so'))
    await chmod(join(folder, 'wide'), 0o777)
    await expect(check(join(folder, 'wide', 'deep', 'a.so'), [folder])).rejects.toThrow('writable')
  })
  it("M14 refuses another user's file, but for root's", async () => {
    const theirs = await altered('theirs.so', {})
    const us = jest.spyOn(process, 'getuid')
    if (process.getuid?.() === 0) await chown(theirs, 65534, 65534)
    us.mockReturnValue(4242)
    await expect(check(theirs, [folder])).rejects.toThrow('belongs to another user')
    expect(checkModulePath(SOFTHSM)).toBe(await realpath(SOFTHSM))
    us.mockRestore()
  })
  it('M14 refuses to allow a relative place', async () => {
    for (const place of ['.', 'usr/lib', ''])
      await expect(check(SOFTHSM, ['/usr/lib', place])).rejects.toThrow(TypeError)
  })
  it.each([
    ['of another machine', { 18: process.arch === 'arm64' ? 62 : 183 }],
    ['of the other word size', { 4: 1 }],
    ['of the other byte order', { 5: 2 }],
    ['that is a program', { 16: 2 }],
    ['that is no ELF', { 0: 0 }],
  ])('M14 refuses a file %s', async (name, changes) => {
    const file = await altered(`${name}.so`, changes as Record<number, number>)
    await expect(check(file, [folder])).rejects.toMatchObject(refusal)
  })
  it('M14 refuses what is no file, or too short, or not there', async () => {
    await writeFile(join(folder, 'short.so'), '\x7fELF')
    for (const path of [folder, join(folder, 'short.so'), join(folder, 'absent.so'), '/dev/null']) {
      await expect(check(path, [folder, '/dev/null'])).rejects.toMatchObject(refusal)
    }
  })
  it('M14 refuses a URI with such a module before anything is loaded', async () => {
    faults.reset()
    await expect((async () => loadModule({ modulePath: good, addon: faults.addon }))()).rejects.toMatchObject(refusal)
    expect(faults.calls).toEqual([])
  })
})
