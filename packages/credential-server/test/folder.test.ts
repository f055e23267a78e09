import * as fs from 'node:fs/promises'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { openCacheFolder } from '../src/cache/cache-folder.ts'
import type { FileSystem } from '../src/credentials-file/file-system.ts'
import { makeFolder } from '../src/credentials-file/folder.ts'
import { locate } from '../src/credentials-file/locate.ts'
import { codeOf, scratch, systemError } from './file-helpers.ts'

let path: string
let remove: () => Promise<void>
beforeEach(async () => ({ folder: path, remove } = await scratch()))
afterEach(() => remove())

describe('makeFolder', () => {
  it('F02: makes what is missing, for the owner alone, and takes what is there', async () => {
    const before = process.umask(0)
    await mkdir(join(path, 'a'), { mode: 0o755 })
    await Promise.all([makeFolder(fs, join(path, 'a', 'b', 'c')), makeFolder(fs, join(path, 'a', 'b', 'd'))])
    await makeFolder(fs, join(path, 'a', 'b'))
    process.umask(before)
    const modes = await Promise.all(['a', 'a/b', 'a/b/c', 'a/b/d'].map(async (it) => (await stat(join(path, it))).mode))
    expect(modes.map((it) => (it & 0o777).toString(8))).toEqual(['755', '700', '700', '700'])
  })

  it('F07: ends where nothing can be made, as in /proc, which Node’s own does not', async () => {
    const made = jest.fn<typeof fs.mkdir>(async (name) => {
      throw systemError(name === '/proc' ? 'EEXIST' : 'ENOENT')
    })
    const proc = { ...fs, mkdir: made } as unknown as FileSystem
    expect(await codeOf(makeFolder(proc, '/proc/a/b'))).toBe('ENOENT')
    expect(await codeOf(locate(proc, '/proc/a/b/credentials'))).toBe('ENOENT')
    expect(await codeOf(openCacheFolder(proc, '/proc/a/b'))).toBe('ENOENT')
    const one = ['/proc/a/b', '/proc/a', '/proc', '/proc/a']
    expect(made.mock.calls).toEqual([...one, ...one, ...one].map((it) => [it, { mode: 0o700 }]))
  })
})
