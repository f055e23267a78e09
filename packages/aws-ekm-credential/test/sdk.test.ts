import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { createCredentialChain } from '@aws-sdk/credential-providers'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { AwsCredentialIdentity } from '@smithy/types'
import { confidentialSpaceLauncher, fromEkm } from '../src/index.ts'
import { ACCOUNT, type Harness, REGION, rejection, startHarness } from './harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await startHarness()
})
afterAll(() => harness.close())
afterEach(() => {
  harness.aws.shortenSessionsTo = undefined
})

const grants = () => harness.aws.calls.filter((it) => it.action === 'AssumeRole').length
const s3 = (credentials: ReturnType<typeof fromEkm>) =>
  new S3Client({ region: REGION, endpoint: harness.aws.endpoint, forcePathStyle: true, credentials })

describe('in a client of the AWS SDK', () => {
  it('signs with the attested role', async () => {
    const client = s3(fromEkm(harness.init()))
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'reports', Key: 'one.txt' }))
    expect(await Body?.transformToString()).toBe('first report')
    client.destroy()
    expect(harness.aws.calls.at(-1)?.principal).toMatch(`arn:aws:sts::${ACCOUNT}:assumed-role/reader/`)
  })

  it('is asked once for as long as a session lasts', async () => {
    const client = s3(fromEkm(harness.init()))
    const before = grants()
    for (let i = 0; i < 5; i++) await client.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    client.destroy()
    expect(grants() - before).toBe(1)
  })

  it.each([
    ['S3', () => s3(fromEkm(harness.init())), new ListObjectsV2Command({ Bucket: 'reports' })],
    [
      'STS',
      () => new STSClient({ region: REGION, endpoint: harness.aws.endpoint, credentials: fromEkm(harness.init()) }),
      new GetCallerIdentityCommand({}),
    ],
  ])('is asked again by %s when a session is about to end', async (_name, make, command) => {
    harness.aws.shortenSessionsTo = 60 // SDK clients refresh in the last five minutes
    const client = make() as { send(command: unknown): Promise<unknown>; destroy(): void }
    const before = grants()
    for (let i = 0; i < 3; i++) await client.send(command)
    client.destroy()
    expect(grants() - before).toBeGreaterThanOrEqual(3)
  })
})

describe('in a chain of providers', () => {
  const fallback: AwsCredentialIdentity = { accessKeyId: 'AKIAI44QH8DHBEXAMPLE', secretAccessKey: 'from elsewhere' }

  it('lets the next one try where there is no launcher', async () => {
    const attestation = confidentialSpaceLauncher({ socketPath: '/nowhere/teeserver.sock' })
    const chain = createCredentialChain(fromEkm(harness.init({ attestation })), async () => fallback)
    await expect(chain()).resolves.toMatchObject({ accessKeyId: fallback.accessKeyId })
  })

  it('lets the next one try where there is no broker', async () => {
    const broker = { ...harness.broker, address: '127.0.0.1:1' }
    const chain = createCredentialChain(fromEkm(harness.init({ broker, maxAttempts: 1 })), async () => fallback)
    await expect(chain()).resolves.toMatchObject({ accessKeyId: fallback.accessKeyId })
  })

  it('stops where the broker said no', async () => {
    const next = jest.fn(async () => fallback)
    const refused = fromEkm(harness.init({ roleArn: `arn:aws:iam::${ACCOUNT}:role/other` }))
    const error = await rejection(createCredentialChain(refused, next)())
    expect(error).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED', tryNextLink: false })
    expect(next).not.toHaveBeenCalled()
  })
})
