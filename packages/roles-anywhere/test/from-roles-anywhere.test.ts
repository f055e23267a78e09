import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { hangs } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type FromRolesAnywhereInit, fromRolesAnywhere } from '../src/from-roles-anywhere.ts'
import { type Harness, ROLE, rejection, startHarness } from './harness.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

const NEXT = 'arn:aws:iam::111122223333:role/auditor'

let harness: Harness
beforeAll(async () => {
  harness = await startHarness()
  harness.aws.addBucket('reports', { 'one.txt': '1', 'two.txt': '2' })
  harness.aws.addRole({ arn: NEXT, trusts: [ROLE] })
})
beforeEach(() => {
  harness.service.fault = undefined
  harness.service.requests.length = 0
})
afterAll(() => harness.close())

const provider = (over: Partial<FromRolesAnywhereInit> = {}) => fromRolesAnywhere(harness.init(over))
const clientOf = (credentials: ReturnType<typeof fromRolesAnywhere>) => ({
  region: 'us-east-1',
  endpoint: harness.aws.endpoint,
  credentials,
  maxAttempts: 1,
})

describe('fromRolesAnywhere', () => {
  it('is what a client of the AWS SDK takes, which asks it once', async () => {
    const s3 = new S3Client({ ...clientOf(provider()), forcePathStyle: true })
    for (let i = 0; i < 2; i++) {
      const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))
      expect(Contents).toHaveLength(2)
    }
    s3.destroy()
    expect(harness.service.requests).toHaveLength(1)
  })

  it('gives the role that was asked for, and nothing that the SDK does not know', async () => {
    const credentials = provider({ roleSessionName: 'worked' })
    const sts = new STSClient(clientOf(credentials))
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}))
    sts.destroy()
    expect(Arn).toBe('arn:aws:sts::111122223333:assumed-role/reader/worked')
    const names = ['accessKeyId', 'accountId', 'expiration', 'secretAccessKey', 'sessionToken']
    expect(Object.keys(await credentials()).sort()).toEqual(names)
  })

  it('lets callers that arrive together share a session, and keeps nothing', async () => {
    const credentials = provider()
    const [a, b] = await Promise.all([credentials(), credentials()])
    expect(a).toBe(b)
    expect(harness.service.requests).toHaveLength(1)
    expect(await credentials()).not.toBe(a)
  })

  it('forgets a failure', async () => {
    const credentials = provider({ timeoutMs: 100 })
    harness.service.fault = hangs('headers')
    expect(await rejection(credentials())).toMatchObject({ code: 'ERR_RA_TIMEOUT' })
    harness.service.fault = undefined
    expect((await credentials()).accessKeyId).toMatch(/^ASIA/)
  })

  it.each<[Record<string, unknown>, string]>([
    [{ durationSecond: 900 }, 'has no option "durationSecond"'],
    [{ durationSeconds: 1 }, '"durationSeconds"'],
    [{ stsEndpoint: 'https://sts.example.com' }, '"stsEndpoint" goes with "assumeRole"'],
    [{ assumeRole: { RoleArn: 'reader' } }, '"assumeRole.RoleArn"'],
    [{ assumeRole: { RoleArn: NEXT, DurationSeconds: 7200 } }, '900 to 3600'],
    [{ assumeRole: { RoleArn: NEXT }, proxy: 'https://proxy.example.com' }, '"proxy" must be a URL'],
    [{ answerRules: 'ask' }, '"answerRules"'],
  ])('S09: refuses %j', (over, says) => expect(() => provider(over)).toThrow(says))
})

describe('fromRolesAnywhere with a further role', () => {
  it('gives a session of that role', async () => {
    const assumeRole = { RoleArn: NEXT, RoleSessionName: 'worked', DurationSeconds: 900 }
    const credentials = provider({ assumeRole, stsEndpoint: harness.aws.endpoint })
    const sts = new STSClient(clientOf(credentials))
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}))
    sts.destroy()
    expect(Arn).toBe('arn:aws:sts::111122223333:assumed-role/auditor/worked')
    expect(harness.aws.calls.map(({ action }) => action).slice(-2)).toEqual(['AssumeRole', 'GetCallerIdentity'])
    const { accountId, expiration } = await credentials()
    expect(accountId).toBe('111122223333')
    expect(expiration!.getTime() - Date.now()).toBeLessThanOrEqual(900_000)
  })

  it('passes on what STS says', async () => {
    const assumeRole = { RoleArn: `${NEXT}2`, RoleSessionName: 'worked' }
    const credentials = provider({ assumeRole, stsEndpoint: harness.aws.endpoint })
    expect(await rejection(credentials())).toMatchObject({ code: 'ERR_STS_REFUSED', awsCode: 'AccessDenied' })
  })

  it('has one deadline for both', async () => {
    harness.aws.fault = () => true
    const assumeRole = { RoleArn: NEXT, RoleSessionName: 'worked' }
    const more = { stsEndpoint: harness.aws.endpoint, timeoutMs: 200 }
    try {
      expect((await rejection(provider({ assumeRole, ...more })())).code).toMatch(/^ERR_(RA|STS)_TIMEOUT$/)
    } finally {
      harness.aws.fault = undefined
    }
  })
})
