import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { type FromHmacInit, fromHmac } from '../src/from-hmac.ts'
import type { StsClientInit } from '../src/sts-client.ts'
import { ROLE, type StsHarness, script, startSts, USER } from './sts-harness.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

let sts: StsHarness
beforeAll(async () => {
  sts = await startSts()
  sts.aws.addBucket('reports', { 'one.txt': '1' })
})
afterEach(() => {
  sts.aws.fault = undefined
})
afterAll(() => sts.close())

const assumeRole = { RoleArn: ROLE, RoleSessionName: 'workload', DurationSeconds: 900 }

describe('fromHmac', () => {
  it('gives an S3 client credentials, once for many calls', async () => {
    const { endpoint } = sts.aws
    const credentials = fromHmac({ ...sts.init, assumeRole })
    const s3 = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true, credentials })
    const before = sts.aws.calls.length
    const answers = await Promise.all([1, 2, 3].map(() => s3.send(new ListBucketsCommand({}))))
    s3.destroy()
    expect(answers[0]!.Buckets).toMatchObject([{ Name: 'reports' }])
    expect(sts.aws.calls.slice(before).map(({ action }) => action)).toEqual([
      'AssumeRole',
      ...Array(3).fill('ListBuckets'),
    ])
    expect(sts.aws.calls.at(-1)!.principal).toBe('arn:aws:sts::444455556666:assumed-role/Reader/workload')
  })

  it('gives an STS client the session of the user itself', async () => {
    for (const init of [sts.init, { ...sts.init, getSessionToken: { DurationSeconds: 900 } }] as FromHmacInit[]) {
      const client = new STSClient({ region: 'us-east-1', endpoint: sts.aws.endpoint, credentials: fromHmac(init) })
      expect(await client.send(new GetCallerIdentityCommand({}))).toMatchObject({ Arn: USER.arn })
      client.destroy()
    }
  })

  it('has what an identity has, and no more', async () => {
    const identity = await fromHmac({ ...sts.init, assumeRole })()
    expect(Object.keys(identity).sort()).toEqual([
      'accessKeyId',
      'accountId',
      'expiration',
      'secretAccessKey',
      'sessionToken',
    ])
    expect(identity.accountId).toBe('444455556666')
    expect(identity.expiration!.getTime()).toBeGreaterThan(Date.now() + 800_000)
  })

  it('shares one call among those that arrive together, and keeps neither it nor a failure', async () => {
    const provider = fromHmac({ ...sts.init, assumeRole })
    script(sts, [(_req, res) => void res.writeHead(403).end()])
    const failed = await Promise.allSettled([provider(), provider()])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(sts.seen).toHaveLength(1)
    const [one, two] = await Promise.all([provider(), provider()])
    expect(one).toBe(two)
    expect(await provider()).not.toBe(one)
    expect(sts.seen).toHaveLength(3)
  })

  it('keeps to what it was given, also when that is changed later', async () => {
    const given = { ...assumeRole }
    const provider = fromHmac({ ...sts.init, assumeRole: given })
    given.RoleSessionName = 'changed'
    await provider()
    expect(sts.aws.calls.at(-1)!.params).toMatchObject({ RoleSessionName: 'workload' })
  })
})

describe('S09 fromHmac refuses at once', () => {
  const make = (o: object) => () => fromHmac({ ...sts.init, ...o } as FromHmacInit)

  it.each<[string, object, string]>([
    ['both ways', { assumeRole, getSessionToken: {} }, 'assumeRole'],
    ['an option that it does not have', { roleArn: ROLE }, 'roleArn'],
    ['no key id', { accessKeyId: undefined }, 'accessKeyId'],
    ['S03 a key id with a slash', { accessKeyId: 'AKIAIOSFODNN7/EXAMPLE' }, 'accessKeyId'],
    ['S03 a key id with a line feed', { accessKeyId: 'AKIAIOSFODNN7EXAMPLE\n' }, 'accessKeyId'],
    ['a temporary key', { accessKeyId: 'ASIAIOSFODNN7EXAMPLE' }, 'accessKeyId'],
    ['no region', { region: undefined }, 'region'],
    ['S03 a region with a slash', { region: 'us-east-1/sts' }, 'region'],
    ['plain text without the loud option', { dangerouslyAllowPlaintextEndpoint: false }, 'endpoint'],
    ['no certificate to trust, which would be all of Node’s', { ca: '' }, 'ca'],
    ['octets without a certificate', { ca: Buffer.from('-----BEGIN PRIVATE KEY-----') }, 'ca'],
    ['a broken certificate', { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }, 'ca'],
    ['a proxy of another kind', { proxy: 'https://proxy.example.com' }, 'proxy'],
    ['no time', { timeoutMs: 0 }, 'timeoutMs'],
    ['half a millisecond', { timeoutMs: 0.5 }, 'timeoutMs'],
    ['more time than a timer has', { timeoutMs: 2 ** 31 }, 'timeoutMs'],
    ['no try', { maxAttempts: 0 }, 'maxAttempts'],
    ['a role of another partition', { assumeRole: { RoleArn: 'arn:aws-cn:iam::444455556666:role/x' } }, 'partition'],
    ['a field that is wrong', { assumeRole: { ...assumeRole, DurationSeconds: 1 } }, 'DurationSeconds'],
    ['null', { assumeRole: null }, 'assumeRole'],
  ])('S09 %s', (_, change, text) => {
    expect(make(change)).toThrow(text)
  })

  it('S09 already when it is compiled', () => {
    const init: StsClientInit = sts.init
    // @ts-expect-error two ways
    expect(() => fromHmac({ ...init, assumeRole, getSessionToken: {} })).toThrow(TypeError)
    // @ts-expect-error no such option
    expect(() => fromHmac({ ...init, roleArn: ROLE })).toThrow(TypeError)
  })
})
