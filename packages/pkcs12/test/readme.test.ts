import type { KeyObject, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createLab, EC, type Lab, PASSWORD } from './helpers.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

interface Example {
  identities(file: string, password: string): Promise<{ key: KeyObject; certificate?: X509Certificate }[]>
}

let lab: Lab
let folder: string
let readme: string
beforeAll(async () => {
  lab = await createLab()
  await lab.pair('ec', EC)
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
})
afterAll(() => Promise.all([lab.remove(), rm(folder, { recursive: true })]))

describe('README', () => {
  it('runs as it stands there', async () => {
    const [, block] = /```ts\n([\s\S]*?)```/.exec(readme) as RegExpExecArray
    await writeFile(join(folder, 'example.ts'), block as string)
    const { identities } = (await import(join(folder, 'example.ts'))) as Example
    const file = join(folder, 'client.p12')
    await writeFile(file, await lab.export('ec', PASSWORD))
    const opened = await identities(file, PASSWORD)
    expect(opened.map(({ key, certificate }) => certificate?.checkPrivateKey(key))).toEqual([true])
    expect(await identities(file, 'wrong')).toEqual([])
    await writeFile(file, 'nothing')
    await expect(identities(file, PASSWORD)).rejects.toMatchObject({ code: 'ERR_PKCS12_FORMAT' })
  })

  it('has every error code', async () => {
    const source = await readFile(here('../src/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
    expect([...readme.matchAll(/^\| `(ERR_\w+)` +\|/gm)].map(([, code]) => code)).toEqual(codes)
    expect(codes).toHaveLength(5)
  })
})
