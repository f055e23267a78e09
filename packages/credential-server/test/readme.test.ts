import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { runFixture } from './child.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const source = (name: string): Promise<string> => readFile(here(`../src/${name}`), 'utf8')

let folder: string
let readme: string
beforeAll(async () => {
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
})
afterAll(() => rm(folder, { recursive: true }))

/** First column of all tables, and names in the second one where `column` says so. */
const cells = (pattern: RegExp): string[] => [...readme.matchAll(pattern)].map(([, name]) => name!)
const fields = async (name: string): Promise<string[]> => {
  const [, body] = new RegExp(`export interface ${name} \\{([\\s\\S]*?)\\n\\}`).exec(await source('types.ts'))!
  return [...body!.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field]) => field!)
}

describe('README', () => {
  it('serves a token to another process', async () => {
    const [, block] = /```ts\n([\s\S]*?)```/.exec(readme)!
    const code = block!
      .replace("from '@hardbound/azure-ekm-credential'", "from './ekm-credential.ts'")
      .replace('/etc/hardbound/broker-ca.pem', join(folder, 'ca.pem'))
    await writeFile(join(folder, 'ca.pem'), 'pem')
    await writeFile(
      join(folder, 'ekm-credential.ts'),
      `export class EkmCredential {
        constructor({ broker }) { this.broker = broker }
        async getToken(scope) { return { token: scope, expiresOnTimestamp: Date.now() + 3600000 } }
      }`,
    )
    const file = join(folder, 'example.ts')
    await writeFile(file, code)
    const { env, stop } = (await import(file)) as { env: Record<string, string>; stop: () => Promise<void> }
    const scope = 'https://storage.azure.com/.default'
    const tokens = await runFixture('get-token.mjs', ['default', scope, '1'], { env })
    expect(tokens).toMatchObject([{ token: scope }])
    await stop()
  })

  it('has every option', async () => {
    const [server, azure] = readme.split('## The two forms')[0]!.split('| `azure.`')
    const names = (table: string): string[] => [...table.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name!)
    expect(names(server!)).toEqual(await fields('CredentialServerInit'))
    expect(names(azure!).sort()).toEqual((await fields('AzureInit')).sort())
    for (const limit of await fields('ServerLimits')) expect(server).toContain(`\`${limit}\``)
  })

  it('has every error code', async () => {
    const codes = [...(await source('errors.ts')).matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code!)
    expect(codes.length).toBeGreaterThan(0)
    expect(cells(/^\| `(ERR_\w+)` +\|/gm)).toEqual(codes)
  })

  it('has every reason for a refusal', async () => {
    const reasons = [...(await source('types.ts')).matchAll(/^ {2}\| '(\w+)'/gm)].map(([, reason]) => reason!)
    const rows = cells(/^\| \d{3} +\| ((?:`\w+` ?)+)/gm).flatMap((it) => it.trim().split(' '))
    expect(new Set(rows)).toEqual(new Set(reasons.map((it) => `\`${it}\``)))
  })
})
