import dns from 'node:dns'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { callerIdentityCheck, fromEkm } from '../src/index.ts'
import { ACCOUNT, BROKER_USER, type Harness, REGION, ROLE, rejection, startHarness } from './harness.ts'
import { keysFor, startScriptedBroker } from './scripted-broker.ts'

const OTHER = 'arn:aws:iam::444455556666:role/reader'
const ADMIN = `arn:aws:iam::${ACCOUNT}:role/team/admin`

type Done = (error: Error) => void

let harness: Harness
beforeAll(async () => {
  harness = await startHarness()
  for (const arn of [OTHER, ADMIN]) harness.aws.addRole({ arn, trusts: [BROKER_USER.arn] })
})
afterAll(() => harness.close())
afterEach(() => {
  harness.aws.fault = undefined
})

const check = (timeoutMs?: number) =>
  callerIdentityCheck({
    region: REGION,
    endpoint: harness.aws.endpoint,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })

/** Real keys of a role, as a rogue broker could get for a role of its own. */
async function keysOf(roleArn: string) {
  const sts = new STSClient({ region: REGION, endpoint: harness.aws.endpoint, credentials: BROKER_USER })
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: 'rogue' }))
  sts.destroy()
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!
  return { AccessKeyId, SecretAccessKey, SessionToken }
}

async function asIdentity(roleArn: string, accountId?: string) {
  const { AccessKeyId, SecretAccessKey, SessionToken } = await keysOf(roleArn)
  const keys = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
  return accountId === undefined ? keys : { ...keys, accountId }
}

describe('callerIdentityCheck', () => {
  it('lets the role’s own keys through', async () => {
    const before = harness.aws.calls.length
    const keys = await fromEkm(harness.init({ checkIdentity: check() }))()
    expect(keys.accountId).toBe(ACCOUNT)
    expect(harness.aws.calls.slice(before).map((it) => it.action)).toEqual(['AssumeRole', 'GetCallerIdentity'])
    await expect(check()(await asIdentity(ADMIN), { roleArn: ADMIN })).resolves.toBeUndefined()
  })

  it.each([
    ['account B', OTHER],
    ['role B', ADMIN],
  ])('C10 discards keys of %s that a rogue broker passes off as ours', async (_what, roleArn) => {
    const keys = await keysOf(roleArn)
    const rogue = await startScriptedBroker(harness.pki, () => ({ body: { ...keysFor('reader', ACCOUNT), ...keys } }))
    try {
      // The lie in AssumedRoleArn goes through without the check …
      await expect(fromEkm(harness.init({ broker: rogue.broker }))()).resolves.toMatchObject({ accountId: ACCOUNT })
      // … and is found out by it.
      const provider = fromEkm(harness.init({ broker: rogue.broker, checkIdentity: check() }))
      expect(await rejection(provider())).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH', tryNextLink: false })
    } finally {
      await rogue.close()
    }
  })

  it.each<[string, string, string, number]>([
    ['keys that AWS does not know', 'InvalidClientTokenId', 'no such key', 403],
    ['an AWS that says no', 'AccessDenied', 'no', 403],
  ])('refuses %s', async (_what, code, message, status) => {
    harness.aws.fault = (_req, res) => {
      const body = `<ErrorResponse><Error><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`
      res.writeHead(status, { 'content-type': 'text/xml' }).end(body)
      return true
    }
    const keys = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'x', accountId: ACCOUNT }
    expect(await rejection(check()(keys, { roleArn: ROLE }))).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH' })
  })

  it('does not take a user for a role of the same name', async () => {
    const user = { accessKeyId: 'AKIAI44QH8DHBEXAMPLE', secretAccessKey: 'a long-term key' }
    harness.aws.addUser({ ...user, arn: `arn:aws:iam::${ACCOUNT}:user/reader` })
    expect(await rejection(check()(user, { roleArn: ROLE }))).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH' })
  })

  it('refuses what nobody confirms in time', async () => {
    harness.aws.fault = () => true
    const keys = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'x' }
    expect(await rejection(check(50)(keys, { roleArn: ROLE }))).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH' })
  })

  it('does not let the environment say which AWS to ask', async () => {
    const asked: string[] = []
    const lookup = jest.spyOn(dns, 'lookup').mockImplementation(((host: string, _options: unknown, done: Done) => {
      asked.push(host)
      done(new Error('no network here'))
    }) as typeof dns.lookup)
    process.env.AWS_ENDPOINT_URL = harness.aws.endpoint
    try {
      const keys = await asIdentity(OTHER)
      const error = await rejection(callerIdentityCheck({ region: REGION })(keys, { roleArn: OTHER }))
      expect(error).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH' })
      expect(new Set(asked)).toEqual(new Set([`sts.${REGION}.amazonaws.com`]))
    } finally {
      delete process.env.AWS_ENDPOINT_URL
      lookup.mockRestore()
    }
  })

  it('holds the account that the broker named against AWS where no role was asked for', async () => {
    await expect(check()(await asIdentity(OTHER, '444455556666'), { roleArn: undefined })).resolves.toBeUndefined()
    for (const accountId of [ACCOUNT, undefined]) {
      const error = await rejection(check()(await asIdentity(OTHER, accountId), { roleArn: undefined }))
      expect(error).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH' })
    }
  })
})
