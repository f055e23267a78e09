import { createHmac } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hex, SECRET } from './helpers.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let swtpm: TestSwtpm
let folder: string
let readme: string
beforeAll(async () => {
  swtpm = await startSwtpm()
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
})
afterAll(async () => {
  await swtpm.stop()
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for the address. */
async function runBlock<T>(index: number): Promise<T> {
  const block = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, block.replaceAll('/dev/tpmrm0', swtpm.address))
  return (await import(file)) as T
}

describe('README', () => {
  it.each([0, 1])('makes the HMAC that is expected, example %i', async (index) => {
    const { tag } = await runBlock<{ tag: Uint8Array }>(index)
    expect(hex(tag)).toBe(createHmac('sha256', SECRET).update('20260822').digest('hex'))
  })

  it('has every error code', async () => {
    const source = await readFile(here('../src/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` +\|/gm)].map(([, code]) => code)
    expect(codes).toHaveLength(14)
    expect(rows).toEqual(codes)
  })
})
