import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, describe, expect, it } from '@jest/globals'
import { startAws } from '../src/aws.ts'
import { askUrl, ROLE, refusal, USER } from './helpers.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
let skewMs = 0
const aws = await startAws({ now: () => Date.now() + skewMs })
const Bucket = 'example-bucket'
aws.addUser(USER)
aws.addRole({ arn: ROLE, trusts: [USER.arn] })
aws.addBucket(Bucket, { 'a.txt': 'alpha', 'dir/b é+.txt': 'beta', 'dir/c.txt': 'gamma' })
aws.addBucket('other-bucket', {})

const closers: (() => unknown)[] = [() => aws.close()]
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

function clientOf(credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } = USER) {
  const { endpoint } = aws
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1, credentials })
  closers.push(() => client.destroy())
  return client
}

/** A client with a session of the role, under a session policy. */
async function sessionOf(statement?: object): Promise<S3Client> {
  const sts = new STSClient({ endpoint: aws.endpoint, region: 'us-east-1', credentials: USER })
  const Policy = statement && JSON.stringify({ Version: '2012-10-17', Statement: statement })
  const command = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'reader', ...(Policy && { Policy }) })
  const { Credentials } = await sts.send(command)
  sts.destroy()
  return clientOf({
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  })
}
const user = clientOf()
const get = (Key: string, client = user) => client.send(new GetObjectCommand({ Bucket, Key }))

describe('answerS3 for the AWS SDK', () => {
  it('lists buckets', async () => {
    const { Buckets } = await user.send(new ListBucketsCommand({}))
    expect(Buckets?.map(({ Name }) => Name)).toEqual([Bucket, 'other-bucket'])
  })

  it('lists objects in both versions, by prefix and delimiter', async () => {
    const v1 = await user.send(new ListObjectsCommand({ Bucket }))
    expect(v1.Contents?.map(({ Key, Size }) => [Key, Size])).toEqual([
      ['a.txt', 5],
      ['dir/b é+.txt', 4],
      ['dir/c.txt', 5],
    ])
    const v2 = await user.send(new ListObjectsV2Command({ Bucket, Delimiter: '/', EncodingType: 'url' }))
    expect(v2).toMatchObject({ KeyCount: 2, IsTruncated: false, CommonPrefixes: [{ Prefix: 'dir/' }] })
    expect(v2.Contents).toHaveLength(1)
    expect((await user.send(new ListObjectsV2Command({ Bucket, Prefix: 'dir/c' }))).KeyCount).toBe(1)
  })

  it('pages', async () => {
    const first = await user.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2 }))
    expect([first.KeyCount, first.IsTruncated]).toEqual([2, true])
    const token = { ContinuationToken: first.NextContinuationToken }
    const second = await user.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2, ...token }))
    expect(second.Contents?.map(({ Key }) => Key)).toEqual(['dir/c.txt'])
    expect(second.IsTruncated).toBe(false)
  })

  it('gives objects, also with keys that need encoding', async () => {
    expect(await (await get('a.txt')).Body?.transformToString()).toBe('alpha')
    expect(await (await get('dir/b é+.txt')).Body?.transformToString()).toBe('beta')
    expect(aws.calls.at(-1)).toEqual({
      action: 'GetObject',
      params: { Bucket, Key: 'dir/b é+.txt' },
      principal: USER.arn,
    })
    expect((await user.send(new HeadObjectCommand({ Bucket, Key: 'a.txt' }))).ContentLength).toBe(5)
    expect(await refusal(user.send(new HeadBucketCommand({ Bucket })))).toBeUndefined()
  })
})

describe('answerS3 refuses', () => {
  it.each([
    ['a bucket that is not there', () => user.send(new ListObjectsV2Command({ Bucket: 'none' })), 'NoSuchBucket'],
    ['a key that is not there', () => get('none'), 'NoSuchKey'],
    ['to write', () => user.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'x' })), 'MethodNotAllowed'],
    ['a wrong secret', () => get('a.txt', clientOf({ ...USER, secretAccessKey: 'x' })), 'SignatureDoesNotMatch'],
    [
      'an unknown key',
      () => get('a.txt', clientOf({ ...USER, accessKeyId: 'AKIAI44QH8DHBEXAMPLE' })),
      'InvalidAccessKeyId',
    ],
  ])('%s', async (_, call, code) => {
    expect(await refusal(call())).toBe(code)
    expect(aws.refusals.at(-1)?.code).toBe(code)
  })

  it('nobody, and query parameters that it would have to ignore', async () => {
    const anonymous = await askUrl(`${aws.endpoint}/${Bucket}/a.txt`)
    expect([anonymous.status, anonymous.text]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')])
    expect((await askUrl(`${aws.endpoint}/${Bucket}?acl`)).status).toBe(501)
    expect((await askUrl(`${aws.endpoint}/${Bucket}/%zz`)).status).toBe(400)
  })

  it('a session that has expired', async () => {
    const client = await sessionOf()
    expect(await refusal(get('a.txt', client))).toBeUndefined()
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials()
    skewMs = 3_600_000
    const late = clientOf({ accessKeyId, secretAccessKey, sessionToken: sessionToken! })
    expect(await refusal(get('a.txt', late))).toBe('RequestTimeTooSkewed') // the clock comes first, then the SDK adjusts
    expect(await refusal(get('a.txt', late))).toBe('ExpiredToken')
    skewMs = 0
  })

  it('what a session policy does not allow', async () => {
    const client = await sessionOf([
      { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${Bucket}/dir/*` },
      { Effect: 'Allow', Action: ['s3:ListBucket'], Resource: [`arn:aws:s3:::${Bucket}`] },
    ])
    expect(await refusal(get('dir/c.txt', client))).toBeUndefined()
    expect(await refusal(get('a.txt', client))).toBe('AccessDenied')
    expect(await refusal(client.send(new ListObjectsV2Command({ Bucket })))).toBeUndefined()
    expect(await refusal(client.send(new ListBucketsCommand({})))).toBe('AccessDenied')
  })

  it('an address that a session policy does not allow', async () => {
    const from = (cidr: string) => ({
      Effect: 'Allow',
      Action: 's3:*',
      Resource: '*',
      Condition: { IpAddress: { 'aws:SourceIp': cidr } },
    })
    expect(await refusal(get('a.txt', await sessionOf(from('127.0.0.0/8'))))).toBeUndefined()
    expect(await refusal(get('a.txt', await sessionOf(from('192.0.2.0/24'))))).toBe('AccessDenied')
  })
})
