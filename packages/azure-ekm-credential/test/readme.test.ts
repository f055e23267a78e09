import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TokenCredential } from '@azure/core-auth'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { startAzurite, type TestAzurite } from '@hardbound/testkit/azure'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { EkmCredentialError, type EkmCredentialErrorCode } from '../src/index.ts'
import { CLIENT, type Harness, SCOPE, startHarness, TENANT } from './harness.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let harness: Harness
let azurite: TestAzurite
let folder: string
let readme: string

beforeAll(async () => {
  ;[harness, azurite] = await Promise.all([startHarness(), startAzurite()])
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  await writeFile(join(folder, 'ca.pem'), harness.pki.caPem)
  const options = { tlsOptions: { ca: azurite.caPem }, retryOptions: {} }
  const owner = new StorageSharedKeyCredential(azurite.account, azurite.accountKey)
  const reports = new BlobServiceClient(azurite.blobEndpoint, owner, options).getContainerClient('reports')
  await reports.create()
  for (const name of ['one.txt', 'two.txt']) await reports.uploadBlockBlob(name, 'report', 6)
}, 60_000)
afterAll(async () => {
  await Promise.all([harness?.close(), azurite?.stop()])
  if (folder !== undefined) await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for host names and paths. */
async function runBlock<T>(index: number): Promise<T> {
  const block = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const socketPath = JSON.stringify(harness.launcher.socketPath)
  const tls = `{ tlsOptions: { ca: ${JSON.stringify(azurite.caPem)} } }`
  const code = block
    .replace('{ url: ', `{ address: '${harness.broker.address}', url: `)
    .replace('/etc/hardbound/broker-ca.pem', join(folder, 'ca.pem'))
    .replace(
      "'https://hardbounddemo.blob.core.windows.net', credential",
      `'${azurite.blobEndpoint}', credential, ${tls}`,
    )
    .replace("'/run/container_launcher/teeserver.sock'", socketPath)
    .replace(
      /audience: (.*)\n\}\)/,
      `audience: $1\n  attestation: confidentialSpaceLauncher({ socketPath: ${socketPath} }),\n})`,
    )
    .replace('import { EkmCredential }', 'import { confidentialSpaceLauncher, EkmCredential }')
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

describe('README', () => {
  it('lists blobs', async () => {
    const { names } = await runBlock<{ names: string[] }>(0)
    expect(names).toEqual(['one.txt', 'two.txt'])
  })

  it('goes through a chain', async () => {
    const { credential } = await runBlock<{ credential: TokenCredential }>(1)
    const token = await credential.getToken(SCOPE)
    expect(harness.entra.tokenFor(token!.token)).toMatchObject({ tid: TENANT, appid: CLIENT })
  })

  it('has every error code, with what a chain does on it', async () => {
    const source = await readFile(here('../src/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code as EkmCredentialErrorCode)
    expect(codes.length).toBeGreaterThan(0)
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` +\| `(\w+)` +\|/gm)].map(([, code, name]) => [code, name])
    expect(rows).toEqual(codes.map((code) => [code, new EkmCredentialError(code, '').name]))
  })

  it('has every option', async () => {
    const source = await readFile(here('../src/ekm-credential.ts'), 'utf8')
    const [, fields] = /export interface EkmCredentialInit \{([\s\S]*?)\n\}/.exec(source)!
    const options = [...fields!.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name)
    const [, section] = /## Options\n([\s\S]*?)\nWhat a client passes/.exec(readme)!
    const rows = [...section!.matchAll(/^\| `([a-z]\w+)` +\|/gm)].map(([, name]) => name)
    expect(rows).toEqual(options)
  })
})
