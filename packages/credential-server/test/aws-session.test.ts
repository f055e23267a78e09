import { describe, expect, it } from '@jest/globals'
import { awsRefusal, createAwsSessions } from '../src/internal/aws-session.ts'
import type { Refusal } from '../src/internal/refusal.ts'
import type { AwsInit } from '../src/types.ts'
import { testProvider } from './aws-helpers.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const HOUR = 3_600_000

function setUp(provider: unknown, roleArn?: string) {
  const state = { now: NOW }
  const closing = new AbortController()
  const failures: [Refusal, string][] = []
  const source = createAwsSessions(
    { provider: provider as AwsInit['provider'], roleName: 'reader', ...(roleArn === undefined ? {} : { roleArn }) },
    {
      timeoutMs: 5000,
      clock: () => state.now,
      random: () => 0,
      closing: closing.signal,
      onFailure: (...it) => failures.push(it),
    },
  )
  return { state, source, failures, closing }
}

describe('createAwsSessions', () => {
  it('takes credentials of the SDK, and has both answers ready', async () => {
    const { source } = setUp(
      testProvider(HOUR, () => NOW + 400),
      'arn:aws:iam::111122223333:role/reader',
    )
    const { imdsBody, containerBody, expiresAt } = await source.get()
    const keys = {
      AccessKeyId: 'ASIACANARY000001',
      SecretAccessKey: 'secret-canary-000001',
      Token: 'session-canary-000001',
      Expiration: '2026-11-21T13:00:00Z',
    }
    expect(JSON.parse(imdsBody)).toEqual({
      ...keys,
      Code: 'Success',
      Type: 'AWS-HMAC',
      LastUpdated: '2026-11-21T12:00:00Z',
    })
    expect(JSON.parse(containerBody)).toEqual({ ...keys, RoleArn: 'arn:aws:iam::111122223333:role/reader' })
    expect(expiresAt).toBe(NOW + HOUR + 400)
  })

  it('I19 gets the next ten minutes early, as botocore asks anew for what has less', async () => {
    const provider = testProvider(HOUR, () => NOW)
    const { state, source } = setUp(provider)
    await source.get()
    state.now += HOUR - 600_001
    await source.get()
    expect(provider.calls).toBe(1)
    state.now += 1
    provider.lifetimeMs = 2 * HOUR
    await source.get()
    expect(provider.calls).toBe(2)
  })

  it('I15 does not let an SDK, which waits a second, wait for a silent provider when it has a session', async () => {
    const first = testProvider(HOUR, () => NOW)
    let isSilent = false
    const { state, source, closing } = setUp(() => (isSilent ? new Promise(() => {}) : first()))
    const held = await source.get()
    isSilent = true
    state.now += HOUR - 60_000
    const started = performance.now()
    expect(await source.get()).toBe(held)
    expect(performance.now() - started).toBeLessThan(900)
    closing.abort()
  })

  const good = {
    accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: 'token',
    expiration: new Date(NOW + HOUR),
  }
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['no access key id', { ...good, accessKeyId: '' }],
    ['a number', { ...good, accessKeyId: 7 }],
    ['no secret', { ...good, secretAccessKey: undefined }],
    ['a secret with a line break', { ...good, secretAccessKey: 'a\nb' }],
    ['a long-term key', { accessKeyId: good.accessKeyId, secretAccessKey: good.secretAccessKey }],
    ['an empty token', { ...good, sessionToken: '' }],
    ['a huge token', { ...good, sessionToken: 'x'.repeat(32_769) }],
    ['no expiry', { ...good, expiration: undefined }],
    ['an expiry as text', { ...good, expiration: '2026-11-21T13:00:00Z' }],
    ['an expiry that is no date', { ...good, expiration: new Date(Number.NaN) }],
    ['an expiry in years', { ...good, expiration: new Date(NOW + 49 * HOUR) }],
    ['what is over', { ...good, expiration: new Date(NOW) }],
  ])('I16 I19 makes 503 of %s', async (_name, answer) => {
    const { source, failures } = setUp(async () => answer)
    await expect(source.get()).rejects.toThrow()
    expect(failures).toMatchObject([[{ status: 503, reason: 'credential' }, 'reader']])
  })
})

describe('awsRefusal', () => {
  it('I16 is 503 whatever happened, with our own code and nothing else', () => {
    const refused = Object.assign(new Error('canary'), { code: 'ERR_RA_REFUSED', statusCode: 403 })
    expect(awsRefusal(refused, 12)).toMatchObject({
      status: 503,
      reason: 'credential',
      message: 'the credential was refused (ERR_RA_REFUSED)',
      options: { code: 'ERR_RA_REFUSED', retryAfterSeconds: 12 },
    })
    expect(awsRefusal(new Error('canary'))).toMatchObject({
      status: 503,
      message: 'the credential failed',
      options: {},
    })
  })
})
