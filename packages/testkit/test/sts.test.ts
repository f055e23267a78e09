import { createHash } from 'node:crypto'
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  type Credentials,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts'
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals'
import { startAws, type TestAws } from '../src/aws.ts'
import { askUrl, ROLE, refusal, USER } from './helpers.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
const NOW_MS = Date.now()
const DEVICE = 'arn:aws:iam::111122223333:mfa/device'
const MANAGED = 'arn:aws:iam::444455556666:policy/read-only'
const CONTEXT = { ProviderArn: 'arn:aws:iam::aws:contextProvider/IdentityCenter', ContextAssertion: 'assertion' }
let nowMs: number
const aws: TestAws = await startAws({ now: () => nowMs })
const clients: STSClient[] = []

beforeEach(() => {
  nowMs = Date.now()
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await aws.close()
})

function clientOf(o: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } = USER) {
  const client = new STSClient({ endpoint: aws.endpoint, region: 'us-east-1', credentials: o, maxAttempts: 1 })
  clients.push(client)
  return client
}
const withSession = (c: Credentials | undefined) =>
  clientOf({ accessKeyId: c!.AccessKeyId!, secretAccessKey: c!.SecretAccessKey!, sessionToken: c!.SessionToken! })
const assume = (o: Partial<AssumeRoleCommandInput> = {}, client = clientOf()) =>
  client.send(new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'workload-1', ...o }))
const whoAmI = (client = clientOf()) => client.send(new GetCallerIdentityCommand({}))

describe('answerSts for the AWS SDK', () => {
  it('tells a user who it is', async () => {
    const { $metadata, ...identity } = await whoAmI()
    expect(identity).toEqual({ Arn: USER.arn, Account: '111122223333', UserId: expect.stringMatching(/^AIDA\w{17}$/) })
    expect($metadata.requestId).toMatch(/^[0-9a-f-]{36}$/)
    expect(aws.calls.at(-1)).toEqual({ action: 'GetCallerIdentity', params: {}, principal: USER.arn })
  })

  it('issues a session of a role, which then signs by itself', async () => {
    const answer = await assume({ DurationSeconds: 900 })
    expect(answer.Credentials).toEqual({
      AccessKeyId: expect.stringMatching(/^ASIA[A-Z2-7]{16}$/),
      SecretAccessKey: expect.stringMatching(/^[\w+/]{40}$/),
      SessionToken: expect.stringMatching(/^[\w+/=]{100,}$/),
      Expiration: new Date((Math.floor(nowMs / 1000) + 900) * 1000),
    })
    const arn = 'arn:aws:sts::444455556666:assumed-role/Reader/workload-1'
    expect(answer.AssumedRoleUser).toEqual({
      Arn: arn,
      AssumedRoleId: expect.stringMatching(/^AROA\w{17}:workload-1$/),
    })
    expect(answer.PackedPolicySize).toBeUndefined()
    expect(await whoAmI(withSession(answer.Credentials))).toMatchObject({ Arn: arn, Account: '444455556666' })
  })

  it('states the packed size when a policy or tags were sent, and takes all fields', async () => {
    const answer = await assume({
      Policy: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
      Tags: [
        { Key: 'image', Value: 'sha256:1f' },
        { Key: 'zone', Value: '' },
      ],
      TransitiveTagKeys: ['image'],
      SourceIdentity: 'workload-1',
    })
    expect(answer.PackedPolicySize).toBeGreaterThan(0)
    expect(answer.SourceIdentity).toBe('workload-1')
    expect(aws.calls.at(-1)!.params).toMatchObject({ 'Tags.member.1.Key': 'image', 'Tags.member.2.Value': '' })
  })

  it('gives a user a session of its own, which cannot ask for another', async () => {
    const { Credentials } = await clientOf().send(new GetSessionTokenCommand({ DurationSeconds: 900 }))
    const client = withSession(Credentials)
    expect((await whoAmI(client)).Arn).toBe(USER.arn)
    expect(await refusal(client.send(new GetSessionTokenCommand({})))).toBe('AccessDenied')
    expect(await refusal(assume({}, client))).toBeUndefined()
  })

  it('takes a code of an MFA device once, for a session of either kind', async () => {
    aws.addUser({ ...USER, mfa: { serialNumber: DEVICE, tokenCodes: ['111111', '222222'] } })
    aws.addRole({ arn: ROLE, trusts: [USER.arn], requireMfa: true })
    const mfa = { SerialNumber: DEVICE, TokenCode: '111111' }
    expect(await refusal(assume())).toBe('AccessDenied')
    expect(await refusal(assume(mfa))).toBeUndefined()
    expect(await refusal(assume(mfa))).toBe('AccessDenied')
    const session = (TokenCode: string) =>
      refusal(clientOf().send(new GetSessionTokenCommand({ SerialNumber: DEVICE, TokenCode })))
    expect(await session('333333')).toBe('AccessDenied')
    expect(await session('222222')).toBeUndefined()
    expect(await session('222222')).toBe('AccessDenied')
  })

  it('takes managed policies and contexts that it knows, and empty lists', async () => {
    aws.addPolicy(MANAGED, '{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}')
    aws.addContext(CONTEXT.ProviderArn, CONTEXT.ContextAssertion)
    expect(await refusal(assume({ PolicyArns: [{ arn: MANAGED }], ProvidedContexts: [CONTEXT] }))).toBeUndefined()
    expect(aws.calls.at(-1)!.params).toMatchObject({
      'PolicyArns.member.1.arn': MANAGED,
      'ProvidedContexts.member.1.ContextAssertion': 'assertion',
    })
    expect(await refusal(assume({ PolicyArns: [], ProvidedContexts: [], Tags: [] }))).toBeUndefined()
  })

  it('gives a session token as long as it is asked for', async () => {
    const { Credentials } = await assume({ MinimumSessionTokenSize: 4096 })
    expect(Credentials!.SessionToken!.length).toBeGreaterThanOrEqual(4096)
    expect((await whoAmI(withSession(Credentials))).Account).toBe('444455556666')
  })

  it('gives the root of an account an hour at most', async () => {
    const root = { ...USER, accessKeyId: 'AKIAROOT8DHBEXAMPLE1', arn: 'arn:aws:iam::111122223333:root' }
    aws.addUser(root)
    const { Credentials } = await clientOf(root).send(new GetSessionTokenCommand({ DurationSeconds: 7200 }))
    expect(Credentials!.Expiration).toEqual(new Date((Math.floor(nowMs / 1000) + 3600) * 1000))
  })

  it('answers a GET query and states errors as AWS does', async () => {
    const { status, headers, text } = await askUrl(`${aws.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15`)
    expect(status).toBe(403)
    expect(headers['content-type']).toBe('text/xml')
    const id = headers['x-amzn-requestid'] as string
    expect(text).toBe(
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>' +
        '<Code>MissingAuthenticationToken</Code><Message>Request is missing Authentication Token</Message></Error>' +
        `<RequestId>${id}</RequestId></ErrorResponse>`,
    )
    expect(aws.refusals.at(-1)).toEqual({ code: 'MissingAuthenticationToken', action: 'GetCallerIdentity' })
  })
})

describe('answerSts refuses', () => {
  const tag = (Key: string, Value = 'v') => ({ Key, Value })
  /** 256 characters that do not compress below a half. */
  const random = (seed: number) =>
    [0, 1].map((part) => createHash('sha512').update(`${seed}/${part}`).digest('hex')).join('')

  it.each<[string, Partial<AssumeRoleCommandInput>, string]>([
    ['a role ARN that is none', { RoleArn: 'arn:aws:iam::444455556666:user/Reader' }, 'ValidationError'],
    ['a session name of one character', { RoleSessionName: 'x' }, 'ValidationError'],
    ['a session name of 65 characters', { RoleSessionName: 'x'.repeat(65) }, 'ValidationError'],
    ['a session name with a slash', { RoleSessionName: 'a/b' }, 'ValidationError'],
    ['899 seconds', { DurationSeconds: 899 }, 'ValidationError'],
    ['43201 seconds', { DurationSeconds: 43_201 }, 'ValidationError'],
    ['more than the role allows', { DurationSeconds: 3601 }, 'ValidationError'],
    ['a policy that is no JSON', { Policy: '{"Statement":' }, 'MalformedPolicyDocument'],
    ['a policy without a statement', { Policy: '{}' }, 'MalformedPolicyDocument'],
    ['a policy of 2049 characters', { Policy: `{"Statement":[]${' '.repeat(2033)}}` }, 'ValidationError'],
    ['51 tags', { Tags: Array.from({ length: 51 }, (_, i) => tag(`k${i}`)) }, 'ValidationError'],
    ['an empty tag key', { Tags: [tag('')] }, 'ValidationError'],
    ['a tag key of 129 characters', { Tags: [tag('k'.repeat(129))] }, 'ValidationError'],
    ['a tag value of 257 characters', { Tags: [tag('k', 'v'.repeat(257))] }, 'ValidationError'],
    ['a tag value with an asterisk', { Tags: [tag('k', '*')] }, 'ValidationError'],
    ['a reserved tag key', { Tags: [tag('aws:k')] }, 'InvalidParameterValue'],
    ['tag keys that differ in case alone', { Tags: [tag('k'), tag('K')] }, 'InvalidParameterValue'],
    ['a transitive key that is no tag', { Tags: [tag('k')], TransitiveTagKeys: ['other'] }, 'ValidationError'],
    ['a source identity of AWS', { SourceIdentity: 'aws:me' }, 'ValidationError'],
    ['a source identity with a space', { SourceIdentity: 'a b' }, 'ValidationError'],
    ['an external id of one character', { ExternalId: 'x' }, 'ValidationError'],
    ['a serial number that is none', { SerialNumber: 'a b c d e', TokenCode: '123456' }, 'ValidationError'],
    ['a token code of five digits', { SerialNumber: DEVICE, TokenCode: '12345' }, 'ValidationError'],
    ['a device without a code', { SerialNumber: DEVICE }, 'AccessDenied'],
    ['a device of nobody', { SerialNumber: DEVICE, TokenCode: '123456' }, 'AccessDenied'],
    ['a managed policy that is none', { PolicyArns: [{ arn: 'arn:aws:iam::111122223333:role/x' }] }, 'ValidationError'],
    ['a managed policy that is not there', { PolicyArns: [{ arn: `${MANAGED}x` }] }, 'ValidationError'],
    ['11 managed policies', { PolicyArns: Array.from({ length: 11 }, () => ({ arn: MANAGED })) }, 'ValidationError'],
    [
      'a context that is not there',
      { ProvidedContexts: [{ ...CONTEXT, ContextAssertion: 'other' }] },
      'ValidationError',
    ],
    ['a context without its provider', { ProvidedContexts: [{ ContextAssertion: 'abcd' }] }, 'ValidationError'],
    ['six contexts', { ProvidedContexts: Array.from({ length: 6 }, () => CONTEXT) }, 'ValidationError'],
    ['a token of 4097 octets', { MinimumSessionTokenSize: 4097 }, 'ValidationError'],
    ['a role that does not exist', { RoleArn: `${ROLE}x` }, 'AccessDenied'],
    [
      'tags that do not pack',
      { Tags: Array.from({ length: 50 }, (_, i) => tag(`k${i}`, random(i))) },
      'PackedPolicyTooLarge',
    ],
  ])('%s', async (_, change, code) => {
    expect(await refusal(assume(change))).toBe(code)
    expect(aws.refusals.at(-1)).toEqual({ code, action: 'AssumeRole' })
  })

  it('a caller that the role does not trust', async () => {
    aws.addRole({ arn: ROLE, trusts: ['arn:aws:iam::111122223333:user/other'] })
    expect(await refusal(assume())).toBe('AccessDenied')
  })

  it('a missing or wrong external id', async () => {
    aws.addRole({ arn: ROLE, trusts: [USER.arn], externalId: 'tenant-1' })
    expect(await refusal(assume())).toBe('AccessDenied')
    expect(await refusal(assume({ ExternalId: 'tenant-2' }))).toBe('AccessDenied')
    expect(await refusal(assume({ ExternalId: 'tenant-1' }))).toBeUndefined()
  })

  it('a missing source identity where the role requires one', async () => {
    aws.addRole({ arn: ROLE, trusts: [USER.arn], requireSourceIdentity: true })
    expect(await refusal(assume())).toBe('AccessDenied')
    expect(await refusal(assume({ SourceIdentity: 'workload-1' }))).toBeUndefined()
  })

  it('in a chain: another source identity, a transitive tag set anew, more than an hour', async () => {
    aws.addRole({ arn: ROLE, trusts: [USER.arn, ROLE], maxSessionSeconds: 43_200 })
    const first = await assume({
      SourceIdentity: 'one',
      Tags: [tag('k')],
      TransitiveTagKeys: ['k'],
      DurationSeconds: 7200,
    })
    const client = withSession(first.Credentials)
    expect((await assume({}, client)).SourceIdentity).toBe('one')
    expect(await refusal(assume({ SourceIdentity: 'two' }, client))).toBe('AccessDenied')
    expect(await refusal(assume({ Tags: [tag('K')] }, client))).toBe('InvalidParameterValue')
    expect(await refusal(assume({ DurationSeconds: 3601 }, client))).toBe('ValidationError')
  })

  it('actions and parameters beyond it', async () => {
    expect(await refusal(clientOf().send(new GetAccessKeyInfoCommand({ AccessKeyId: USER.accessKeyId })))).toBe(
      'InvalidAction',
    )
    const session = (input: object) => refusal(clientOf().send(new GetSessionTokenCommand(input)))
    expect(await session({ DurationSeconds: 129_601 })).toBe('ValidationError')
    expect(await session({ DurationSeconds: 899 })).toBe('ValidationError')
    expect(await session({ SerialNumber: DEVICE, TokenCode: '123456' })).toBe('AccessDenied')
    expect(await session({ MinimumSessionTokenSize: 4097 })).toBe('ValidationError')
  })

  it('a wrong secret, an unknown key, and a session with the token of another', async () => {
    expect(await refusal(whoAmI(clientOf({ ...USER, secretAccessKey: 'x' })))).toBe('SignatureDoesNotMatch')
    expect(await refusal(whoAmI(clientOf({ ...USER, accessKeyId: 'AKIAI44QH8DHBEXAMPLE' })))).toBe(
      'InvalidClientTokenId',
    )
    const [one, two] = [await assume(), await assume()]
    const mixed = { ...one.Credentials!, SessionToken: two.Credentials!.SessionToken }
    expect(await refusal(whoAmI(withSession(mixed)))).toBe('InvalidClientTokenId')
  })

  it('a session that has expired, and not a second earlier', async () => {
    aws.minSessionSeconds = 60
    const { Credentials } = await assume({ DurationSeconds: 60 })
    aws.minSessionSeconds = 900
    nowMs = Credentials!.Expiration!.getTime() - 1000
    expect(await refusal(whoAmI(withSession(Credentials)))).toBeUndefined()
    nowMs += 1000
    expect(await refusal(whoAmI(withSession(Credentials)))).toBe('ExpiredToken')
  })

  it('a stale signature, and its Date header lets the SDK find out', async () => {
    nowMs = NOW_MS + 3_600_000
    const client = clientOf()
    expect(await refusal(whoAmI(client))).toBe('RequestExpired')
    expect(await refusal(whoAmI(client))).toBeUndefined()
  })
})
