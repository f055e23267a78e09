import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { startAws, type TestAws } from '@hardbound/testkit'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { importTpmHmacKey } from '../src/index.ts'
import { PASSWORD, SECRET } from './lab.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let swtpm: TestSwtpm
let aws: TestAws
let folder: string
let readme: string
beforeAll(async () => {
  ;[swtpm, aws] = await Promise.all([startSwtpm(), startAws()])
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  await writeFile(join(folder, 'aws-secret'), SECRET)
  await writeFile(join(folder, 'key-password'), PASSWORD)
})
afterAll(async () => {
  await Promise.all([swtpm.stop(), aws.close()])
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for paths and addresses. */
async function runBlock<T>(index: number, knownAnswer = ''): Promise<T> {
  const block = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const code = block
    .replaceAll('/dev/tpmrm0', swtpm.address)
    .replaceAll(/\/(?:etc\/hardbound|run\/secrets)\//g, `${folder}/`)
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
    aws.addUser({
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: SECRET.toString('utf8', 4),
      arn: 'arn:aws:iam::111122223333:user/machine',
    })
    aws.addBucket('reports', { 'june.csv': 'a,b\n' })
    const { s3, backend } = await runBlock<{ s3: S3Client; backend: HmacBackend }>(1, knownAnswer)
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    expect(Contents).toHaveLength(1)
    s3.destroy()
    await backend.close()
  })

  it('encrypts', async () => {
    await importTpmHmacKey({ tpm: swtpm.address, secret: SECRET, persistentHandle: 0x81010001 })
    const { name, backend } = await runBlock<{ name: string; backend: HmacBackend }>(2)
    expect(name).toMatch(/^000b[0-9a-f]{64}$/)
    expect(await backend.hmacSha256(Buffer.from('20150830'))).toHaveLength(32)
    await backend.close()
  })

  it('has every error code that the backend can give', async () => {
    const source = await readFile(here('../src/internal/errors.ts'), 'utf8')
    const codes = new Set(source.match(/ERR_HMAC_\w+/g))
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` \|/gm)].map(([, code]) => code)
    expect(rows.sort()).toEqual([...codes].sort())
  })
})
