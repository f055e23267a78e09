import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'
import { startAwsKms, startVault, type TestAwsKms, type TestVault } from '@hardbound/testkit/kms'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { awsOptions, DAY, hex, KEY, tagOf, USER } from './helpers.ts'
import vectors from './vectors/tink-keysets.json' with { type: 'json' }

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let folder: string
let readme: string
let vault: TestVault
let kms: TestAwsKms
beforeAll(async () => {
  ;[readme, folder] = [await readFile(here('../README.md'), 'utf8'), await mkdtemp(here('./readme-'))]
  ;[vault, kms] = [await startVault(), await startAwsKms()]
  kms.addUser(USER)
  kms.addKey({ arn: vectors.awsKeyArn, material: Buffer.from(vectors.kekMaterialHex, 'hex') })
  vault.addKey('transit', 'aws', KEY)
})
afterAll(() => Promise.all([vault.close(), kms.close(), rm(folder, { recursive: true })]))

/** Runs a block of the README as it stands there, but for hosts and paths. */
async function runBlock<T>(index: number): Promise<T> {
  const block = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const options = JSON.stringify(awsOptions(kms)).slice(1, -1)
  const code = block
    .replace(/address: \[.*\]/, `dangerouslyAllowPlaintextEndpoint: true, address: ['${vault.address}']`)
    .replace("role: 'signer'", `role: 'signer', jwtFile: '${folder}/jwt'`)
    .replace("encryptionContext: { purpose: 'sigv4' },", `encryptionContext: { purpose: 'sigv4' }, ${options}`)
    .replace(/(tinkKekUnwrapper\('.*')\)/, `$1, { aws: {${options}} })`)
    .replaceAll('/etc/hardbound', folder)
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

async function expectTheKey(backend: HmacBackend): Promise<void> {
  expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  await backend.close()
}

describe('README', () => {
  it('has Vault make the HMAC', async () => {
    const subject = 'system:serviceaccount:prod:signer'
    vault.addKubernetesRole({ role: 'signer', subject })
    await writeFile(join(folder, 'jwt'), vault.serviceAccountToken({ subject }))
    await expectTheKey((await runBlock<{ backend: HmacBackend }>(0)).backend)
  })

  it('wraps a key, and uses it', async () => {
    interface Example {
      enrol(secretAccessKey: string): Promise<void>
      open(): Promise<HmacBackend>
    }
    const { enrol, open } = await runBlock<Example>(1)
    await enrol(USER.secretAccessKey)
    await expectTheKey(await open())
  })

  it("uses Tink's keyset", async () => {
    await writeFile(join(folder, 'keyset.json'), vectors.cases[0]!.keyset)
    await expectTheKey((await runBlock<{ backend: HmacBackend }>(2)).backend)
  })

  it('has every error code that can be thrown, with what a chain does on it', async () => {
    const source = await readFile(here('../../sigv4-hmac/src/hmac-backend-error.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code as HmacBackendErrorCode)
    const [locked, policy] = ['ERR_HMAC_LOCKED', 'ERR_HMAC_POLICY'] // of devices
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` +\| (true|false) +\|/gm)].map(([, code, next]) => [code, next])
    const thrown = codes.filter((code) => code !== locked && code !== policy)
    expect(new Map(rows as [string, string][])).toEqual(
      new Map(thrown.map((code) => [code, String(new HmacBackendError(code, '').tryNextLink)])),
    )
  })
})
