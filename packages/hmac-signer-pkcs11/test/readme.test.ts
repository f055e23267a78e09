import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { type HmacBackend, HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'
import { startAws, type TestAws } from '@hardbound/testkit'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { KEY } from './helpers.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let softHsm: TestSoftHsm
let aws: TestAws
let folder: string
let readme: string
beforeAll(async () => {
  ;[softHsm, aws] = await Promise.all([createSoftHsm({ tokenLabel: 'hsm' }), startAws()])
  softHsm.activate()
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  await writeFile(join(folder, 'aws-secret'), KEY)
})
afterAll(async () => {
  await Promise.all([softHsm.remove(), aws.close()])
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for paths and addresses. */
async function runBlock<T>(index: number, knownAnswer = ''): Promise<T> {
  const code = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
    [index]![1]!.replace('/usr/lib/softhsm/libsofthsm2.so', softHsm.modulePath)
    .replace('/etc/hardbound/pin', softHsm.pinFile)
    .replace('/run/secrets/', `${folder}/`)
    .replace('0123456789abcdef0123456789abcdef', knownAnswer)
    .replace("region: 'eu-west-1',", `region: 'eu-west-1', endpoint: '${aws.endpoint}', forcePathStyle: true,`)
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

describe('README', () => {
  it('puts a secret in, and lists a bucket with it', async () => {
    const { knownAnswer } = await runBlock<{ knownAnswer: string }>(0)
    await rm(join(folder, 'aws-secret'))
    const user = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', arn: 'arn:aws:iam::111122223333:user/machine' }
    aws.addUser({ ...user, secretAccessKey: KEY.toString('utf8', 4) })
    aws.addBucket('reports', { 'june.csv': 'a,b\n' })
    const { s3, backend } = await runBlock<{ s3: S3Client; backend: HmacBackend }>(1, knownAnswer)
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    expect(Contents).toHaveLength(1)
    s3.destroy()
    await backend.close()
  })

  it('has every error code that the backend can give, with what a chain does on it', async () => {
    const files = ['map-error', 'tag', 'find-key', 'import-key', 'open-pkcs11-hmac'].map((it) =>
      here(`../src/${it}.ts`),
    )
    const sources = await Promise.all(files.map((it) => readFile(it, 'utf8')))
    const codes = [...new Set(sources.join('').match(/ERR_HMAC_\w+/g))] as HmacBackendErrorCode[]
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` \| (true|false) \|/gm)].map(([, code, next]) => `${code} ${next}`)
    expect(rows.sort()).toEqual(codes.map((code) => `${code} ${new HmacBackendError(code, '').tryNextLink}`).sort())
  })
})
