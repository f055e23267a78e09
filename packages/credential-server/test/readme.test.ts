import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
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

interface ServerExample {
  env: Record<string, string>
  stop: () => Promise<void>
}

const STAND_INS = {
  'aws-ekm-credential': `export const fromEkm = ({ roleArn }) => async () => ({
    accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: roleArn,
    expiration: new Date(Date.now() + 3600000),
  })`,
  'azure-ekm-credential': `export class EkmCredential {
    constructor({ broker }) { this.broker = broker }
    async getToken(scope) { return { token: scope, expiresOnTimestamp: Date.now() + 3600000 } }
  }`,
}

describe('README', () => {
  /** Runs the n-th example, with a stand-in for what it imports from `peer`. */
  const runExample = async <T>(n: number, peer: keyof typeof STAND_INS): Promise<T> => {
    const [, block] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][n]!
    const code = block!
      .replace(`from '@hardbound/${peer}'`, `from './${peer}.ts'`)
      .replace('/etc/hardbound/', `${folder}/`)
      .replace('/home/me/', `${folder}/`)
    await writeFile(join(folder, 'broker-ca.pem'), 'pem')
    await writeFile(join(folder, `${peer}.ts`), STAND_INS[peer])
    const file = join(folder, `example-${n}.ts`)
    await writeFile(file, code)
    return (await import(file)) as T
  }

  it('serves AWS credentials to another process', async () => {
    const { env, stop } = await runExample<ServerExample>(0, 'aws-ekm-credential')
    const args = [env.AWS_CONTAINER_CREDENTIALS_FULL_URI!, 'authorization', env.AWS_CONTAINER_AUTHORIZATION_TOKEN!]
    const { status, body } = await runFixture<{ status: number; body: string }>('fetch-as.mjs', args)
    expect([status, JSON.parse(body)]).toMatchObject([200, { Token: 'arn:aws:iam::111122223333:role/reader' }])
    await stop()
  })

  it('serves a token of Azure to another process', async () => {
    const { env, stop } = await runExample<ServerExample>(1, 'azure-ekm-credential')
    const scope = 'https://storage.azure.com/.default'
    const tokens = await runFixture('get-token.mjs', ['default', scope, '1'], { env })
    expect(tokens).toMatchObject([{ token: scope }])
    await stop()
  })

  it('keeps a profile of the credentials file current', async () => {
    type Example = { done: Promise<void>; stop: () => Promise<void> }
    const log = jest.spyOn(console, 'error').mockImplementation(() => {})
    const { done, stop } = await runExample<Example>(2, 'aws-ekm-credential')
    const read = () => readFile(join(folder, '.aws', 'credentials'), 'utf8').catch(() => '')
    while ((await read()) === '') await new Promise((resolve) => setTimeout(resolve, 10))
    await stop()
    await done
    expect(log).toHaveBeenCalledTimes(1)
    log.mockRestore()
    expect(await read()).toContain('[default]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\n')
  })

  it('keeps keys on disk', async () => {
    type Example = { keys: { accessKeyId: string }; clear: () => Promise<number> }
    const { keys, clear } = await runExample<Example>(3, 'aws-ekm-credential')
    expect(keys).toMatchObject({ accessKeyId: 'ASIAIOSFODNN7EXAMPLE' })
    expect(await clear()).toBe(1)
  })

  it('has every option', async () => {
    const [server, aws, container, azure] = readme.split('## AWS')[0]!.split(/\| `(?:aws|container|azure)\.`/)
    const names = (table: string): string[] => [...table.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name!)
    expect(names(server!)).toEqual(await fields('CredentialServerInit'))
    expect(names(aws!)).toEqual(await fields('AwsInit'))
    expect(names(container!)).toEqual(await fields('AwsContainerInit'))
    expect(names(azure!).sort()).toEqual((await fields('AzureInit')).sort())
    for (const limit of await fields('ServerLimits')) expect(server).toContain(`\`${limit}\``)
  })

  it('has every error code', async () => {
    const sources = await Promise.all(['errors.ts', 'credentials-file/errors.ts', 'cache/errors.ts'].map(source))
    const codes = [...sources.join('').matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code!)
    expect(codes.length).toBeGreaterThan(0)
    expect(cells(/^\| `(ERR_\w+)` +\|/gm)).toEqual(codes)
  })

  it('has every reason for a refusal', async () => {
    const reasons = [...(await source('types.ts')).matchAll(/^ {2}\| '(\w+)'/gm)].map(([, reason]) => reason!)
    const rows = cells(/^\| \d{3} +\| ((?:`\w+` ?)+)/gm).flatMap((it) => it.trim().split(' '))
    expect(new Set(rows)).toEqual(new Set(reasons.map((it) => `\`${it}\``)))
  })
})
