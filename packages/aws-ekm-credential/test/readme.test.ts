import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { EkmCredentialError, type EkmCredentialErrorCode } from '../src/index.ts'
import { ACCOUNT, type Harness, startHarness } from './harness.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let harness: Harness
let folder: string
let readme: string

beforeAll(async () => {
  harness = await startHarness()
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  await writeFile(join(folder, 'ca.pem'), harness.pki.caPem)
})
afterAll(async () => {
  await harness.close()
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for host names and paths. */
async function runBlock<T>(index: number, text = readme): Promise<T> {
  const block = [...text.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const endpoint = `endpoint: '${harness.aws.endpoint}'`
  const socketPath = JSON.stringify(harness.launcher.socketPath)
  const code = block
    .replaceAll("region: 'eu-west-1'", `region: 'eu-west-1', ${endpoint}`)
    .replace('new S3Client({', 'new S3Client({ forcePathStyle: true,')
    .replace('{ url: ', `{ address: '${harness.broker.address}', url: `)
    .replace('/etc/hardbound/broker-ca.pem', join(folder, 'ca.pem'))
    .replace("'/run/container_launcher/teeserver.sock'", socketPath)
    .replace('    roleArn:', `    attestation: confidentialSpaceLauncher({ socketPath: ${socketPath} }),\n    roleArn:`)
    .replace(
      'fromEkm({ broker,',
      `fromEkm({ attestation: confidentialSpaceLauncher({ socketPath: ${socketPath} }), broker,`,
    )
    .replace('import { fromEkm }', 'import { confidentialSpaceLauncher, fromEkm }')
  const file = join(folder, `example-${index}-${text.length}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

describe('README', () => {
  it('lists a bucket', async () => {
    const { keys } = await runBlock<{ keys: string[] }>(0)
    expect(keys).toEqual(['one.txt', 'two.txt'])
  })

  it('of the project: three lines, and a client has credentials', async () => {
    const { s3 } = await runBlock<{ s3: S3Client }>(0, await readFile(here('../../../README.md'), 'utf8'))
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    s3.destroy()
    expect(Contents).toHaveLength(2)
  })

  it('goes through a chain, and has AWS confirm whose the keys are', async () => {
    const { sts } = await runBlock<{ sts: STSClient }>(1)
    const { Account } = await sts.send(new GetCallerIdentityCommand({}))
    sts.destroy()
    expect(Account).toBe(ACCOUNT)
    expect(harness.aws.calls.slice(-3).map((it) => it.action)).toEqual([
      'AssumeRole',
      'GetCallerIdentity',
      'GetCallerIdentity',
    ])
  })

  it('has every error code, with what a chain does on it', async () => {
    const source = await readFile(here('../src/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code as EkmCredentialErrorCode)
    expect(codes.length).toBeGreaterThan(0)
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` +\| (true|false) +\|/gm)].map(([, code, next]) => [code, next])
    expect(rows).toEqual(codes.map((code) => [code, String(new EkmCredentialError(code, '').tryNextLink)]))
  })

  it('has every option', async () => {
    const source = await readFile(here('../src/from-ekm.ts'), 'utf8')
    const [, fields] = /export interface FromEkmInit \{([\s\S]*?)\n\}/.exec(source)!
    const options = [...fields!.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name)
    const rows = [...readme.matchAll(/^\| `([a-z]\w+)` +\|/gm)].map(([, name]) => name)
    expect(rows.sort()).toEqual([...options, 'code'].sort())
  })
})
