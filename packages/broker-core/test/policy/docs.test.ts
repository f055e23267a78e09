import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { loadPolicy } from '../../src/policy/load-policy.ts'
import { CONDITION_ORDER } from '../../src/policy/rule-conditions.ts'
import { policyJsonSchema } from '../../src/policy/schema.ts'
import * as t from './helpers.ts'

const text = readFileSync(new URL('../../../../docs/policy.md', import.meta.url), 'utf8')
const example = /```yaml\n(.*?)```/s.exec(text)![1]!

describe('docs/policy.md', () => {
  it('has an example that loads, and grants as it says', () => {
    const policy = loadPolicy(example)
    const [, imageDigest] = /"(sha256:[0-9a-f]{64})"/.exec(example)!
    const claims = {
      ...(t.withContainer({ imageDigest, envOverride: { LOG_LEVEL: 'info' } }) as t.ConfidentialSpace),
      googleServiceAccounts: ['report@example.iam.gserviceaccount.com'],
    }
    const decision = policy.decide(t.input({ claims, request: { durationSeconds: 3600 } }))
    expect(t.grantOf(decision)).toMatchObject({
      roleArn: 'arn:aws:iam::111122223333:role/report-reader',
      durationSeconds: 1800,
      sourceIdentity: 'example.4455667788',
    })
    expect(policy.decide(t.input())).toMatchObject({ allow: false })
  })
  it('names every key', () => {
    const keys = new Set<string>()
    JSON.stringify(policyJsonSchema(), (key, value: unknown) => {
      if (key === 'properties') for (const name of Object.keys(value as object)) keys.add(name)
      return value
    })
    // The keys of an IAM policy are AWS's to explain.
    expect([...keys].filter((key) => /^[a-z]/.test(key) && !text.includes(key))).toEqual([])
  })
  it('names every reason', () => {
    const reasons = CONDITION_ORDER.filter((name) => !name.startsWith('peer.'))
    const others = [
      'peer.unmapped',
      'policy.empty',
      'policy.ambiguous',
      'grant.template',
      'request.ambiguous_role',
      'request.duration',
    ]
    expect([...reasons, ...others].filter((reason) => !text.includes(`\`${reason}\``))).toEqual([])
  })
})
