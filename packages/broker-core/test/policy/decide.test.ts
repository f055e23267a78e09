import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { PolicyInput } from '../../src/types.ts'
import * as t from './helpers.ts'

const asking = (roleArn: string | undefined) => t.input({ request: { roleArn } })
const both = { role_arn: undefined, role_arns: [t.READER, t.WRITER] }
const AMBIGUOUS = { allow: false, code: 'invalid_request', reason: 'request.ambiguous_role' }

describe('decide', () => {
  it.each([
    t.WRITER,
    'arn:aws:iam::444455556666:role/reader',
    'arn:aws-us-gov:iam::111122223333:role/reader',
    `${t.READER} `,
    `${t.READER}/../admin`,
    'arn:aws:iam::111122223333:role/*',
    'arn:aws:iam::111122223333:role/reаder', // a Cyrillic letter
    t.READER.toUpperCase(),
    '',
  ])('P11 refuses a role that no rule lists: %s', (roleArn) => {
    expect(t.decideOn(asking(roleArn), t.rule())).toEqual(t.denied('request.role_arn'))
  })

  it('P12 uses the one role there is, and asks where there are more', () => {
    expect(t.grantOf(t.decideOn(asking(undefined), t.rule()))).toMatchObject({ roleArn: t.READER })
    expect(t.decideOn(asking(undefined), t.rule({ aws: both }))).toEqual(AMBIGUOUS)
    const other = t.rule({ id: 'writer', aws: { role_arn: t.WRITER } })
    expect(t.decideOn(asking(undefined), t.rule(), other)).toEqual(AMBIGUOUS)
    expect(t.grantOf(t.decideOn(asking(t.WRITER), t.rule({ aws: both })))).toMatchObject({ roleArn: t.WRITER })
    expect(t.decideOn(asking(t.WRITER), t.rule(), other)).toMatchObject({ allow: true, rule: 'writer' })
    const elsewhere = t.rule({ id: 'writer', workload: { zones: ['us-east1-b'] }, aws: { role_arn: t.WRITER } })
    expect(t.decideOn(asking(undefined), t.rule(), elsewhere)).toMatchObject({ allow: true, rule: 'reader' })
  })

  it('P05 takes rules that grant alike for one, and refuses where they differ', () => {
    const again = (aws: object) => [t.rule({ id: 'z' }), t.rule({ id: 'a', aws })] as const
    expect(t.decideOn(t.input(), ...again({}))).toMatchObject({ allow: true, rule: 'a' })
    for (const aws of [
      { max_duration_seconds: 900 },
      { tags: { rule: '{{rule.id}}' } },
      { region: 'eu-west-1' },
      { source_ip: ['203.0.113.0/24'] },
      { external_id: 'example-7' },
    ]) {
      for (const roleArn of [undefined, t.READER]) {
        expect(t.decideOn(asking(roleArn), ...again(aws))).toEqual(t.denied('policy.ambiguous'))
      }
    }
  })

  it('denies where one of the rules that match can not be worked out', () => {
    const broken = t.rule({ id: 'a', aws: { source_identity: '{{assertion.missing}}' } })
    expect(t.decideOn(t.input(), broken, t.rule())).toEqual(t.denied('grant.template'))
  })

  it('gives the reason of the rule that got furthest', () => {
    const image = t.rule({ id: 'a', workload: { image_digests: [`sha256:${t.hex('9')}`] } })
    const zone = t.rule({ id: 'b', workload: { zones: ['us-east1-b'] } })
    const when = t.rule({ id: 'c', when: 'false' })
    expect(t.decideOn(t.input(), image)).toEqual(t.denied('claim.image_digest'))
    expect(t.decideOn(t.input(), image, zone)).toEqual(t.denied('claim.zone'))
    expect(t.decideOn(t.input(), when, image, zone)).toEqual(t.denied('when'))
  })

  it('has nothing for other targets', () => {
    const request = {
      target: 'azure',
      scope: 'https://storage.azure.com/.default',
      tenantId: undefined,
      clientId: undefined,
    } as const
    expect(t.decideOn({ ...t.input(), request }, t.rule())).toEqual(t.denied('request.target'))
  })

  it('P08 decides alike for every order of the rules', () => {
    const workload = fc.record(
      {
        image_digests: fc.constantFrom([t.DIGEST], [`sha256:${t.hex('9')}`]),
        zones: fc.constantFrom(['europe-west4-a'], ['us-east1-b']),
        args: fc.constantFrom([], ['/app', '--serve']),
      },
      { requiredKeys: ['image_digests'] },
    )
    const aws = fc.record(
      {
        role_arn: fc.constantFrom(t.READER, t.WRITER),
        max_duration_seconds: fc.constantFrom(900, 3600),
        session_name: fc.constantFrom('{{rule.id}}x', '{{assertion.missing}}'),
      },
      { requiredKeys: ['role_arn'] },
    )
    const rule = fc.record({ workload, aws, when: fc.constantFrom(undefined, 'true', 'false') })
    const shuffled = fc
      .array(rule, { minLength: 1, maxLength: 6 })
      .map((rules) => rules.map((parts, index) => t.rule({ id: `r${index}`, ...parts })))
      .chain((rules) => fc.tuple(fc.constant(rules), fc.shuffledSubarray(rules, { minLength: rules.length })))
    const request = fc.constantFrom<PolicyInput>(asking(undefined), asking(t.READER), asking(t.WRITER), asking('x'))
    const reasons = new Set<string>()
    fc.assert(
      fc.property(shuffled, request, ([rules, others], input) => {
        const decision = t.decideOn(input, ...rules)
        reasons.add(decision.allow ? 'allow' : decision.reason)
        expect(t.decideOn(input, ...others)).toEqual(decision)
      }),
      { numRuns: 1000 },
    )
    expect([...reasons]).toEqual(
      expect.arrayContaining(['allow', 'policy.ambiguous', 'request.ambiguous_role', 'grant.template']),
    )
  })
})
