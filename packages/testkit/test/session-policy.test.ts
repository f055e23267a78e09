import { describe, expect, it } from '@jest/globals'
import { policiesAllow } from '../src/internal/session-policy.ts'

const access = { action: 's3:GetObject', resource: 'arn:aws:s3:::example-bucket/a.txt', sourceIp: '192.0.2.7' }
const ALLOW = { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }
const allows = (...statements: object[]) => policiesAllow([JSON.stringify({ Statement: statements })], access)
const when = (Condition: object) => allows({ ...ALLOW, Condition })

describe('policiesAllow', () => {
  it('allows what is named, literally or up to an asterisk', () => {
    expect(allows(ALLOW)).toBe(true)
    expect(allows({ ...ALLOW, Action: 'S3:get*', Resource: 'arn:aws:s3:::example-bucket/*' })).toBe(true)
    expect(policiesAllow([JSON.stringify({ Version: '2012-10-17', Statement: ALLOW })], access)).toBe(true)
  })

  it('denies what is not named', () => {
    expect(allows()).toBe(false)
    expect(allows({ ...ALLOW, Action: 's3:ListBucket' })).toBe(false)
    expect(allows({ ...ALLOW, Resource: 'arn:aws:s3:::example-bucket' })).toBe(false)
  })

  it('lets a Deny win', () => {
    expect(allows(ALLOW, { ...ALLOW, Effect: 'Deny' })).toBe(false)
    expect(allows(ALLOW, { ...ALLOW, Effect: 'Deny', Action: 's3:PutObject' })).toBe(true)
  })

  it('takes several policies together, and none for everything', () => {
    const [get, deny, list] = [ALLOW, { ...ALLOW, Effect: 'Deny' }, { ...ALLOW, Action: 's3:ListBucket' }].map((it) =>
      JSON.stringify({ Statement: it }),
    )
    expect(policiesAllow([], access)).toBe(true)
    expect(policiesAllow([list!, get!], access)).toBe(true)
    expect(policiesAllow([get!, deny!], access)).toBe(false)
    expect(policiesAllow([get!, 'no JSON'], access)).toBe(false)
  })

  it('tests the address', () => {
    expect(when({ IpAddress: { 'aws:SourceIp': ['198.51.100.1', '192.0.2.0/24'] } })).toBe(true)
    expect(when({ IpAddress: { 'aws:SourceIp': '192.0.2.8' } })).toBe(false)
    expect(when({ NotIpAddress: { 'aws:SourceIp': '192.0.2.0/24' } })).toBe(false)
    expect(when({ NotIpAddress: { 'aws:SourceIp': '2001:db8::/32' } })).toBe(true)
  })

  it.each([
    ['another condition', { ...ALLOW, Condition: { StringEquals: { 'aws:PrincipalTag/a': 'b' } } }],
    ['another condition key', { ...ALLOW, Condition: { IpAddress: { 'aws:VpcSourceIp': '192.0.2.0/24' } } }],
    ['an address that is none', { ...ALLOW, Condition: { NotIpAddress: { 'aws:SourceIp': 'x' } } }],
    ['NotAction', { Effect: 'Allow', NotAction: 's3:PutObject', Resource: '*' }],
    ['an asterisk amid a pattern', { ...ALLOW, Resource: 'arn:aws:s3:::*/a.txt' }],
    ['a variable', { ...ALLOW, Resource: 'arn:aws:s3:::$' + '{aws:username}*' }],
    ['another effect', { ...ALLOW, Effect: 'allow' }],
    ['no resource', { Effect: 'Allow', Action: '*' }],
  ])('allows nothing when a statement has %s', (_, statement) => {
    expect(allows(statement)).toBe(false)
    expect(allows(ALLOW, statement)).toBe(false)
  })
})
