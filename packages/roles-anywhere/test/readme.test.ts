import { X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { AwsCredentialIdentityProvider } from '@smithy/types'
import { RolesAnywhereError, type RolesAnywhereErrorCode } from '../src/errors.ts'
import type { X509IdentitySource } from '../src/types.ts'
import { type Harness, ROLE, startHarness } from './harness.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let harness: Harness
let folder: string
let readme: string

beforeAll(async () => {
  harness = await startHarness()
  harness.aws.addBucket('reports', { 'one.txt': '1', 'two.txt': '2' })
  harness.aws.addRole({ arn: 'arn:aws:iam::111122223333:role/auditor', trusts: [ROLE] })
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  const { certPem, keyPem } = await harness.pki.issue({ commonName: 'worked.example', usage: 'client' })
  await writeFile(join(folder, 'client.pem'), certPem)
  await writeFile(join(folder, 'client.key'), keyPem, { mode: 0o600 })
  await writeFile(join(folder, 'intermediates.pem'), harness.pki.caPem)
})
afterAll(async () => {
  await harness.close()
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for endpoints and paths. */
async function runBlock<T>(index: number, change = (code: string) => code): Promise<T> {
  const block = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const code = change(block)
    .replaceAll('/etc/pki', folder)
    .replace('new S3Client({', `new S3Client({ forcePathStyle: true, endpoint: '${harness.aws.endpoint}',`)
    .replace('assumeRole:', `stsEndpoint: '${harness.aws.endpoint}',\n  assumeRole:`)
    .replace('trustAnchorArn:', `endpoint: '${harness.service.endpoint}',\n  trustAnchorArn:`)
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

/** Members of `key`. */
const IN_KEY = ['handle', 'file', 'pem']

describe('README', () => {
  it('lists a bucket', async () => {
    const { keys } = await runBlock<{ keys: string[] }>(0)
    expect(keys).toEqual(['one.txt', 'two.txt'])
  })

  it('assumes a further role', async () => {
    const { credentials } = await runBlock<{ credentials: AwsCredentialIdentityProvider }>(1)
    expect(await credentials()).toMatchObject({ accountId: '111122223333' })
    expect(harness.aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole' })
  })

  it('signs a test message, and shows a refusal', async () => {
    const { signature, session } = await runBlock<{ signature: Uint8Array; session: unknown }>(2)
    expect(Buffer.from(signature).toString()).toMatch(/^30[0-9a-f]+$/)
    expect(session).toBe('AccessDeniedException')
  })

  it('finds the identity of a store by a selector', async () => {
    const clients = join(folder, 'clients')
    await mkdir(clients)
    const issued = await harness.pki.issue({ commonName: 'a', dns: ['client.example.com'], usage: 'client' })
    await writeFile(join(clients, 'client.pem'), issued.certPem + issued.keyPem, { mode: 0o600 })
    const issuer = new X509Certificate(issued.certPem).issuer.replace(/^CN=/, '')
    const change = (code: string) => code.replace('Example Issuing CA', issuer)
    const { credentials } = await runBlock<{ credentials: AwsCredentialIdentityProvider }>(3, change)
    expect(await credentials()).toMatchObject({ accountId: '111122223333' })
  })

  it('makes identities of devices and agents, and closes them unused', async () => {
    const { identities } = await runBlock<{ identities: X509IdentitySource[] }>(4)
    expect(identities.map(({ name }) => name)).toEqual(['pkcs11', 'tpm', 'pkcs12', 'spiffe'])
    for (const it of identities) await it.close()
  })

  it('reads the data of a certificate', async () => {
    expect(await runBlock(5)).toMatchObject({ keyType: 'EC', serialNumber: expect.stringMatching(/^\d+$/) })
  })

  it('has every warning code', async () => {
    const source = await readFile(here('../src/warning.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(WARN_\w+)'/gm)].map(([, code]) => code)
    expect([...readme.matchAll(/^\| `(WARN_\w+)` +\|/gm)].map(([, code]) => code)).toEqual(codes)
  })

  it('has every option of every identity', async () => {
    const section = readme.slice(readme.indexOf('## Identities'), readme.indexOf('## Options'))
    const rows = [...section.matchAll(/^\| (`.*?`) +\| ([a-z0-9, ]+) +\|/gm)]
    const told = rows.flatMap(([, names, of]) => names!.match(/\w+/g)!.map((name) => [name, of!.trim()] as const))
    for (const name of ['pem', 'buffer', 'pkcs11', 'pkcs12', 'tpm', 'spiffe']) {
      const source = await readFile(here(`../src/identity/${name}.ts`), 'utf8')
      const options = [...source.split('function')[0]!.matchAll(/readonly (\w+)\??: /g)].map(([, option]) => option!)
      expect(options.length).toBeGreaterThan(2)
      const mine = told.filter(([, of]) => of === 'all' || of.split(', ').includes(name)).map(([option]) => option)
      expect(options.filter((it) => !mine.includes(it) && !(name === 'tpm' && IN_KEY.includes(it)))).toEqual([])
    }
  })

  it('has every error code, with what a chain does on it', async () => {
    const source = await readFile(here('../src/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code as RolesAnywhereErrorCode)
    expect(codes.length).toBeGreaterThan(0)
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` +\| (true|false) +\|/gm)].map(([, code, next]) => [code, next])
    expect(rows).toEqual(codes.map((code) => [code, String(new RolesAnywhereError(code, '').tryNextLink)]))
  })

  it('has every option', async () => {
    const source = await readFile(here('../src/from-roles-anywhere.ts'), 'utf8')
    const [, list] = /OPTIONS[^[]*\[([^\]]*)\]/.exec(source)!
    const options = [...list!.matchAll(/'(\w+)'/g)].map(([, name]) => name)
    const section = readme.slice(readme.indexOf('## Options'), readme.indexOf('## What is checked'))
    const rows = [...section.matchAll(/^\| (`.*?`) +\|/gm)].flatMap(([, names]) => names!.match(/\w+/g)!)
    expect(rows.sort()).toEqual([...options].sort())
  })
})
