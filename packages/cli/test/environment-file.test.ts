import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { writeEnvironmentFile } from '../src/serve/environment-file.ts'
import { type Folder, makeFolder } from './helpers.ts'

let folder: Folder
let count = 0
beforeAll(async () => {
  folder = await makeFolder()
})
afterAll(() => folder.remove())

async function place(): Promise<string> {
  const path = join(folder.path, String(++count))
  await mkdir(path)
  return path
}

describe('writeEnvironmentFile', () => {
  it('F01 writes a file of mode 0600, and removes it', async () => {
    const path = join(await place(), 'env')
    const remove = await writeEnvironmentFile(path, { A: 'http://127.0.0.1:9911/container/x', B: 'y' })
    expect(await readFile(path, 'utf8')).toBe('A=http://127.0.0.1:9911/container/x\nB=y\n')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await remove()
    expect(await readdir(join(path, '..'))).toEqual([])
  })

  it('F04 replaces a link, and leaves alone what it leads to', async () => {
    const path = await place()
    await writeFile(join(path, 'other'), 'kept')
    await symlink('other', join(path, 'env'))
    await writeEnvironmentFile(join(path, 'env'), { A: '1' })
    expect(await readFile(join(path, 'other'), 'utf8')).toBe('kept')
  })

  it('leaves what somebody else has written since', async () => {
    const path = join(await place(), 'env')
    const remove = await writeEnvironmentFile(path, { A: '1' })
    await writeFile(path, 'A=2\n')
    await remove()
    expect(await readFile(path, 'utf8')).toBe('A=2\n')
  })

  it('shells read back what was meant, and run nothing of it', async () => {
    const path = join(await place(), 'env')
    const value = `/run/it's $(touch ${join(path, '..', 'ran')}) here`
    await writeEnvironmentFile(path, { A: value })
    expect(execFileSync('/bin/sh', ['-c', `. ${path}; printf %s "$A"`], { encoding: 'utf8' })).toBe(value)
    expect(await readdir(join(path, '..'))).toEqual(['env'])
  })

  it.each([0o777, 0o775, 0o1777])('F10 refuses a folder of mode %o, and leaves nothing there', async (mode) => {
    const path = await place()
    await chmod(path, mode)
    await expect(writeEnvironmentFile(join(path, 'env'), { A: '1' })).rejects.toThrow('nobody else can write to')
    expect(await readdir(path)).toEqual([])
  })

  it('names what the system says, and leaves no draft', async () => {
    const path = await place()
    await mkdir(join(path, 'env'))
    await expect(writeEnvironmentFile(join(path, 'env'), { A: '1' })).rejects.toThrow('(EISDIR)')
    expect(await readdir(path)).toEqual(['env'])
    await expect(writeEnvironmentFile(join(path, 'none', 'env'), {})).rejects.toThrow('(ENOENT)')
  })
})

// Root alone can give a folder away.
if (process.geteuid?.() === 0)
  describe('writeEnvironmentFile, as root', () => {
    it("F10 refuses another user's folder", async () => {
      const path = await place()
      await chown(path, 65_534, 65_534)
      await expect(writeEnvironmentFile(join(path, 'env'), { A: '1' })).rejects.toThrow('nobody else can write to')
    })
  })
