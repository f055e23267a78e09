import { describe, expect, it } from '@jest/globals'
import { type Expected, readCredentials } from '../src/internal/read-credentials.ts'
import { ACCOUNT, ROLE } from './harness.ts'

const NOW = Date.parse('2026-08-22T12:00:00Z')
const expected: Expected = { protocol: 'v2', roleArn: ROLE, durationSeconds: 3600, now: NOW }
const answer = {
  Version: 1,
  AccessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  SecretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  SessionToken: 'IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVz+=',
  Expiration: '2026-08-22T13:00:00Z',
  AssumedRoleArn: `arn:aws:sts::${ACCOUNT}:assumed-role/reader/hb-123`,
}
const codeOf = (other: object, what: Partial<Expected> = {}): unknown => {
  try {
    readCredentials({ ...answer, ...other }, { ...expected, ...what })
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code
  }
}

describe('readCredentials', () => {
  it('reads a v2 answer', () => {
    expect(readCredentials(answer, expected)).toEqual({
      accessKeyId: answer.AccessKeyId,
      secretAccessKey: answer.SecretAccessKey,
      sessionToken: answer.SessionToken,
      expiration: new Date('2026-08-22T13:00:00Z'),
      accountId: ACCOUNT,
    })
  })

  it('reads the answer of the Go server: Version 0, no role, an offset and nanoseconds', () => {
    const { AssumedRoleArn: _, ...theirs } = answer
    const go = { ...theirs, Version: 0, Expiration: '2026-08-22T14:59:59.123456789+02:00' }
    const keys = readCredentials(go, { ...expected, protocol: 'go-v1' })
    expect(keys.expiration).toEqual(new Date('2026-08-22T12:59:59.123Z'))
    expect(keys.accountId).toBeUndefined()
  })

  it.each([
    ['Version', [undefined, 0, 2, '1']],
    ['AccessKeyId', [undefined, '', 'ASIA', 7, 'ASIAIOSFODNN7EXAMPLE\n', 'asiaiosfodnn7example', 'A'.repeat(129)]],
    ['SecretAccessKey', [undefined, '', 7, 'with a space in the middle', 'x'.repeat(257), 'x\r\ny: z0123456789012']],
    ['SessionToken', [undefined, '', 7, 'a b', 'x'.repeat(16_385), { toString: () => 'x' }]],
    ['AssumedRoleArn', [undefined, '', 7, ROLE, `${answer.AssumedRoleArn}/more`, `${answer.AssumedRoleArn}\n`]],
  ])('refuses an answer whose %s is none', (field, values) => {
    for (const value of values) expect([value, codeOf({ [field]: value })]).toEqual([value, 'ERR_EKM_RESPONSE'])
  })

  it.each([
    ['past', '2026-08-22T11:59:59Z'],
    ['now', '2026-08-22T12:00:00Z'],
    ['in 30 days', '2026-09-21T12:00:00Z'],
    ['one second beyond what was asked for and 15 minutes', '2026-08-22T13:15:01Z'],
    ['without a zone', '2026-08-22T13:00:00'],
    ['a date', '2026-08-22'],
    ['a day that is none', '2026-13-45T13:00:00Z'],
    ['a number', 1_787_400_000],
    ['absent', undefined],
  ])('C11 refuses an expiry that is %s', (_what, Expiration) => {
    expect(codeOf({ Expiration })).toBe('ERR_EKM_RESPONSE')
  })

  it.each([
    ['in 30 s: the SDK will come back at once', '2026-08-22T12:00:30Z', 0],
    ['15 minutes beyond what was asked for, as clocks differ', '2026-08-22T13:15:00Z', 0],
    ['as asked for, our clock 10 minutes slow', '2026-08-22T13:00:00Z', -600_000],
    ['as asked for, our clock 10 minutes fast', '2026-08-22T13:00:00Z', 600_000],
  ])('C11 takes an expiry that is %s', (_what, Expiration, skew) => {
    expect(codeOf({ Expiration }, { now: NOW + skew })).toBe('accepted')
  })

  it.each([
    ['account', `arn:aws:sts::444455556666:assumed-role/reader/s1`],
    ['role', `arn:aws:sts::${ACCOUNT}:assumed-role/readers/s1`],
    ['partition', `arn:aws-us-gov:sts::${ACCOUNT}:assumed-role/reader/s1`],
  ])('C10 refuses keys of another %s', (_what, AssumedRoleArn) => {
    expect(codeOf({ AssumedRoleArn })).toBe('ERR_EKM_IDENTITY_MISMATCH')
  })

  it('compares role names without their path, which assumed-role ARNs do not have', () => {
    expect(codeOf({}, { roleArn: `arn:aws:iam::${ACCOUNT}:role/team/a/reader` })).toBe('accepted')
    expect(codeOf({}, { roleArn: `arn:aws:iam::${ACCOUNT}:role/reader/a` })).toBe('ERR_EKM_IDENTITY_MISMATCH')
  })

  it('takes what the broker says where no role was asked for', () => {
    expect(codeOf({ AssumedRoleArn: undefined }, { roleArn: undefined })).toBe('accepted')
    expect(codeOf({ AssumedRoleArn: 'x' }, { roleArn: undefined })).toBe('ERR_EKM_RESPONSE')
    expect(readCredentials(answer, { ...expected, roleArn: undefined }).accountId).toBe(ACCOUNT)
  })
})
