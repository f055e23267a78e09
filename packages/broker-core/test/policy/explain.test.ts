import { describe, expect, it } from '@jest/globals'
import * as t from './helpers.ts'

describe('explain', () => {
  it('shows every condition of every rule', () => {
    const other = t.rule({
      id: 'other',
      workload: { image_digests: [`sha256:${t.hex('9')}`], zones: ['europe-west4-a'] },
      when: 'assertion.nope == 1',
      aws: { session_name: '{{assertion.nope}}' },
    })
    const explained = t.policyOf(t.rule(), other).explain(t.input())
    expect(explained.map(({ rule }) => rule)).toEqual(['other', 'reader'])
    expect(explained[0]!.conditions.map(({ condition, held }) => [condition, held])).toEqual([
      ['protocol', true],
      ['request.target', true],
      ['issuer', true],
      ['claim.image_digest', false],
      ['claim.zone', true],
      ['claim.env_override', true],
      ['claim.cmd_override', true],
      ['when', false],
      ['request.action', true],
      ['request.role_arn', true],
      ['grant.template', false],
    ])
    expect(explained[1]!.conditions.every(({ held }) => held)).toBe(true)
    expect(explained[0]!.conditions[3]!.detail).toContain(t.DIGEST)
  })

  it('names no environment and no arguments', () => {
    const secret = 's3cr3t'
    const claims = t.withContainer({ envOverride: { [secret]: secret }, args: [secret], cmdOverride: [secret] })
    const workload = { env_override: { TOKEN: secret }, args: [secret, '1'], cmd_override: [secret, '2'] }
    const explained = t.policyOf(t.rule({ workload })).explain(t.input({ claims }))
    expect(explained[0]!.conditions.filter(({ held }) => !held)).toHaveLength(3)
    expect(JSON.stringify(explained)).not.toContain(secret)
  })

  it('quotes what the token says: no control characters, bounded', () => {
    const claims = t.withContainer({ imageDigest: `\u001b[2J\u009b\n${'x'.repeat(10_000)}` })
    const [outcome] = t.policyOf(t.rule()).explain(t.input({ claims }))
    const { detail } = outcome!.conditions.find(({ condition }) => condition === 'claim.image_digest')!
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(detail).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
    expect(detail.length).toBeLessThan(500)
  })

  it('explains requests for other targets', () => {
    const request = {
      target: 'azure',
      scope: 'https://storage.azure.com/.default',
      tenantId: undefined,
      clientId: undefined,
    } as const
    const [outcome] = t.policyOf(t.rule()).explain({ ...t.input(), request })
    expect(outcome!.conditions.filter(({ held }) => !held).map(({ condition }) => condition)).toEqual([
      'request.target',
      'request.action',
      'request.role_arn',
    ])
  })
})
