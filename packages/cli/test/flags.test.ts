import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { fileOf } from '../src/internal/flags.ts'
import { type Folder, makeFolder } from './helpers.ts'

let folder: Folder
beforeAll(async () => {
  folder = await makeFolder()
})
afterAll(() => folder.remove())

describe('fileOf', () => {
  it('reads a file whole, however long it says that it is', async () => {
    const text = 'ä'.repeat(100_000)
    expect(fileOf('--ca', await folder.write('long', text))?.toString('utf8')).toBe(text)
    expect(fileOf('--ca', '/proc/self/status')?.length).toBeGreaterThan(0)
    expect(fileOf('--ca', await folder.write('empty', ''))?.length).toBe(0)
    expect(fileOf('--ca', undefined)).toBeUndefined()
  })

  it('does not read for ever', () => {
    expect(() => fileOf('--ca', '/dev/zero')).toThrow('--ca: /dev/zero has more than 8 MiB')
  })

  it.each([
    ['/nonexistent', 'ENOENT'],
    ['/', 'EISDIR'],
  ])('says why %s is not read', (path, code) => {
    expect(() => fileOf('--ca', path)).toThrow(`--ca: ${path} can't be read (${code})`)
  })
})
