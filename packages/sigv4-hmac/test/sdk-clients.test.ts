import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hardwareCredentials, hmacSignerConstructor } from '../src/hmac-signer-constructor.ts'
import { softwareHmac } from '../src/software-backend.ts'
import { ROLE, type StsHarness, startSts, USER } from './sts-harness.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

let sts: StsHarness
beforeAll(async () => {
  sts = await startSts()
  sts.aws.addTable('orders')
  sts.aws.addBucket('reports', { 'a b/é+.txt': 'content' })
})
afterAll(() => sts.close())

/** What every client gets: the key is in the backend, the id is no secret. */
const common = () => ({
  region: 'us-east-1',
  endpoint: sts.aws.endpoint,
  credentials: hardwareCredentials(USER.accessKeyId),
  signerConstructor: hmacSignerConstructor(sts.backend),
  maxAttempts: 1,
})

describe('clients of the AWS SDK whose every call the backend signs', () => {
  it('DynamoDB: JSON in a POST', async () => {
    const client = new DynamoDBClient(common())
    expect((await client.send(new ListTablesCommand({ Limit: 10 }))).TableNames).toEqual(['orders'])
    client.destroy()
  })

  it('S3: a path that needs encoding', async () => {
    const client = new S3Client({ ...common(), forcePathStyle: true })
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'reports', Key: 'a b/é+.txt' }))
    expect(await Body!.transformToString()).toBe('content')
    client.destroy()
  })

  it('STS: a form in a POST', async () => {
    const client = new STSClient(common())
    expect((await client.send(new GetCallerIdentityCommand({}))).Arn).toBe(USER.arn)
    const role = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'workload' })
    expect((await client.send(role)).AssumedRoleUser?.Arn).toContain('/workload')
    client.destroy()
  })

  it('and are refused with another key', async () => {
    const backend = softwareHmac({ secretAccessKey: 'another' })
    const client = new DynamoDBClient({ ...common(), signerConstructor: hmacSignerConstructor(backend) })
    await expect(client.send(new ListTablesCommand({}))).rejects.toMatchObject({ name: 'InvalidSignatureException' })
    client.destroy()
  })
})
