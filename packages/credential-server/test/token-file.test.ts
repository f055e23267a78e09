import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { writeTokenFile } from '../src/internal/token-file.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-file-'))
  path = join(folder, 'token')
})
afterEach(() => rm(folder, { recursive: true }))

describe('writeTokenFile', () => {
  it.each([0o000, 0o077])('is for its owner alone, under umask %o', async (mask) => {
    const before = process.umask(mask)
    const remove = await writeTokenFile(path, 'canary')
    process.umask(before)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readFile(path, 'utf8')).toBe('canary')
    await remove()
    expect(await readdir(folder)).toEqual([])
  })

  it('takes the place of what a killed server left, whatever its mode', async () => {
    await writeFile(path, 'old')
    await chmod(path, 0o666)
    await writeTokenFile(path, 'new')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readFile(path, 'utf8')).toBe('new')
  })

  it('follows no link', async () => {
    const other = join(folder, 'other')
    await writeFile(other, 'theirs')
    await symlink(other, path)
    const remove = await writeTokenFile(path, 'canary')
    expect(await readFile(other, 'utf8')).toBe('theirs')
    await remove()
    expect(await readdir(folder)).toEqual(['other'])
  })

  it('leaves the file of the next server alone', async () => {
    const remove = await writeTokenFile(path, 'first')
    await writeTokenFile(path, 'second')
    await remove()
    expect(await readFile(path, 'utf8')).toBe('second')
  })

  it('waits for no pipe, and reads no link, that took its place', async () => {
    const remove = await writeTokenFile(path, 'canary')
    await rm(path)
    execFileSync('mkfifo', [path])
    await remove()
    expect(await readdir(folder)).toEqual(['token'])
    await rm(path)
    await writeFile(join(folder, 'other'), 'canary')
    await symlink(join(folder, 'other'), path)
    await remove()
    expect((await readdir(folder)).sort()).toEqual(['other', 'token'])
  })

  it('leaves nothing behind when it fails', async () => {
    await mkdir(path)
    await expect(writeTokenFile(path, 'canary')).rejects.toMatchObject({ code: expect.stringMatching(/^E/) })
    expect(await readdir(folder)).toEqual(['token'])
    await expect(writeTokenFile(join(folder, 'none', 'token'), 'canary')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
