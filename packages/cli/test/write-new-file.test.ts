import { type FileHandle, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { writeNewFile } from '../src/internal/write-new-file.ts'
import { type Folder, makeFolder } from './helpers.ts'

let folder: Folder
beforeAll(async () => {
  folder = await makeFolder()
})
afterAll(() => folder.remove())

describe('writeNewFile', () => {
  it('has the file on the disk, and its name as well', async () => {
    const probe = await open(folder.path)
    const proto = Object.getPrototypeOf(probe) as FileHandle
    await probe.close()
    const synced: string[] = []
    const sync = jest.spyOn(proto, 'sync').mockImplementation(async function (this: FileHandle) {
      synced.push((await this.stat()).isDirectory() ? 'folder' : `${(await this.stat()).size} octets`)
    })
    const path = `${folder.path}/key.pem`
    await writeNewFile('--out', path, 'a key')
    sync.mockRestore()
    expect(synced).toEqual(['5 octets', 'folder'])
    expect(await readFile(path, 'utf8')).toBe('a key')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })
  it('leaves what is there, and nothing else', async () => {
    const path = `${folder.path}/there.pem`
    await writeFile(path, 'precious')
    await expect(writeNewFile('--out', path, 'a key')).rejects.toThrow(`--out: ${path} can't be written (EEXIST)`)
    expect(await readFile(path, 'utf8')).toBe('precious')
    expect((await readdir(folder.path)).filter((it) => it.startsWith('.'))).toEqual([])
  })
})
