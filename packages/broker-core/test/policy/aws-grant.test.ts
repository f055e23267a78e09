import { describe, expect, it } from '@jest/globals'
import * as t from './helpers.ts'

const grant = (aws: t.Loose, request = t.input()) => t.grantOf(t.decideOn(request, t.rule({ aws })))
const named = (instance_id: string) =>
  t.input({ assertion: { submods: { gce: { instance_id, project_id: 'example' } } } })
const PATH = 'rules[0].grant.aws'

describe('grant.aws', () => {
  it('has careful defaults', () => {
    expect(grant({})).toEqual({
      target: 'aws',
      action: 'AssumeRole',
      roleArn: t.READER,
      durationSeconds: 3600,
      roleSessionName: 'hb-4455667788',
      sourceIdentity: undefined,
      externalId: undefined,
      sessionPolicy: undefined,
      tags: [],
      transitiveTagKeys: [],
      region: undefined,
      requirePackedPolicySize: false,
    })
  })

  it.each([
    [undefined, undefined, 3600],
    [900, undefined, 900],
    [7200, undefined, 3600],
    [7200, 7200, 7200],
    [43_200, 7200, 7200],
    [2 ** 53 - 1, 900, 900],
    [undefined, 900, 900],
    [undefined, 43_200, 3600],
  ])('P14 caps the duration: asked %s, maximum %s', (durationSeconds, max_duration_seconds, expected) => {
    expect(grant({ max_duration_seconds }, t.input({ request: { durationSeconds } }))).toMatchObject({
      durationSeconds: expected,
    })
  })
  it.each([0, -1, 899, 901.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])(
    'P14 refuses a duration of %s',
    (durationSeconds) => {
      expect(t.decideOn(t.input({ request: { durationSeconds } }), t.rule())).toEqual({
        allow: false,
        code: 'invalid_request',
        reason: 'request.duration',
      })
    },
  )

  describe('P15 names come from the token', () => {
    it('fills in session name, source identity and tags', () => {
      const aws = {
        session_name: '{{assertion.submods.gce.instance_id}}',
        source_identity: '{{assertion.submods.gce.project_id}}.{{assertion.submods.gce.instance_id}}',
        tags: { image_digest: '{{assertion.submods.container.image_digest}}', rule: '{{rule.id}}' },
        transitive_tags: ['image_digest'],
      }
      expect(grant(aws)).toMatchObject({
        roleSessionName: '4455667788',
        sourceIdentity: 'example.4455667788',
        tags: [
          { key: 'image_digest', value: t.DIGEST },
          { key: 'rule', value: 'reader' },
        ],
        transitiveTagKeys: ['image_digest'],
      })
    })
    it('names the session after the token where there is no instance', () => {
      const nowhere = t.input({ claims: t.withGce({ instanceId: undefined }) })
      expect(grant({}, nowhere)).toMatchObject({ roleSessionName: 'hb-0123456789abcdef' })
    })
    it('bends the session name to what AWS takes, and nothing else', () => {
      const template = '{{assertion.submods.gce.instance_id}}'
      expect(grant({ session_name: template }, named(`a/b:c${t.hex('d', 80)}`))).toMatchObject({
        roleSessionName: `a-b-c${t.hex('d', 59)}`,
      })
      for (const id of ['a/b', 'a:b', t.hex('d', 65), 'd']) {
        expect(t.decideOn(named(id), t.rule({ aws: { source_identity: template } }))).toEqual(
          t.denied('grant.template'),
        )
      }
      expect(t.decideOn(named('d'), t.rule({ aws: { session_name: template } }))).toEqual(t.denied('grant.template'))
      for (const id of ['a,b', t.hex('d', 257)]) {
        expect(t.decideOn(named(id), t.rule({ aws: { tags: { id: template } } }))).toEqual(t.denied('grant.template'))
      }
    })
    it.each(['a\r\nX: y', 'a b', 'ü', '*', '', 'a\u0000'])('refuses a value that could be read as more: %j', (id) => {
      for (const key of ['session_name', 'source_identity']) {
        const rule = t.rule({ aws: { [key]: 'vm-{{assertion.submods.gce.instance_id}}' } })
        expect(t.decideOn(named(id), rule)).toEqual(t.denied('grant.template'))
      }
    })
    it('takes no template from the request', () => {
      const document = t.document(t.rule({ aws: { session_name: '{{request.role_arn}}' } }))
      expect(t.refusalOf(document)).toEqual(t.invalid(`${PATH}.session_name`))
    })
  })

  describe('session policy', () => {
    const statement = {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: 'arn:aws:s3:::bucket/{{assertion.submods.gce.instance_id}}/*',
    }
    const policy = { Version: '2012-10-17', Statement: [statement] }

    it('is a mapping or JSON text, with templates', () => {
      const expected = { ...policy, Statement: [{ ...statement, Resource: 'arn:aws:s3:::bucket/4455667788/*' }] }
      for (const session_policy of [policy, JSON.stringify(policy), { ...policy, Statement: statement }]) {
        const it = grant({ session_policy })
        expect(JSON.parse(it.sessionPolicy)).toEqual(expected)
        expect(it.requirePackedPolicySize).toBe(true) // P18
      }
      expect(grant({ session_policy: policy, require_packed_policy_size: false })).toMatchObject({
        requirePackedPolicySize: false,
      })
    })

    it.each(['*', '?', 'a*', '../*', '"],"Action":"*', '\\u002a', `$\{aws:username}`, '{{rule.id}}', '', ' '])(
      'P20 can not be widened by a claim: %j',
      (id) => {
        expect(t.decideOn(named(id), t.rule({ aws: { session_policy: policy } }))).toEqual(t.denied('grant.template'))
      },
    )

    it.each<[string, unknown, string]>([
      ['a typo', { ...policy, Statement: [{ ...statement, Resouce: '*' }] }, 'session_policy.Statement[0].Resouce'],
      [
        'a principal',
        { ...policy, Statement: [{ ...statement, Principal: '*' }] },
        'session_policy.Statement[0].Principal',
      ],
      ['another version', { ...policy, Version: '2008-10-17' }, 'session_policy.Version'],
      ['a typo in JSON text', '{"Version":"2012-10-17","Statment":[]}', 'session_policy.Statment'],
      ['a key twice in JSON text', '{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', 'session_policy'],
      ['text that is not JSON', 'allow all', 'session_policy'],
      ['YAML text', 'Version: 2012-10-17', 'session_policy'],
      ['an unknown template', { ...policy, Statement: [{ ...statement, Resource: '{{env.HOME}}' }] }, 'session_policy'],
      [
        'more than 2048 characters',
        { ...policy, Statement: [{ ...statement, Resource: 'x'.repeat(2000) }] },
        'session_policy',
      ],
      ['characters IAM does not take', { ...policy, Statement: [{ ...statement, Resource: 'а' }] }, 'session_policy'],
    ])('P02 does not load with %s', (_name, session_policy, path) => {
      expect(t.refusalOf(t.document(t.rule({ aws: { session_policy } })))).toEqual(t.invalid(`${PATH}.${path}`))
    })

    it('denies where a template makes it too long', () => {
      const long = { ...policy, Statement: [{ ...statement, Resource: `${statement.Resource}${'x'.repeat(1880)}` }] }
      expect(grant({ session_policy: long }).sessionPolicy.length).toBeLessThanOrEqual(2048)
      expect(t.decideOn(named(t.hex('7', 128)), t.rule({ aws: { session_policy: long } }))).toEqual(
        t.denied('grant.template'),
      )
    })

    it('P19 denies what comes from elsewhere, save what AWS services do', () => {
      const source_ip = ['203.0.113.0/24', '2001:db8::/32']
      const deny = {
        Effect: 'Deny',
        Action: '*',
        Resource: '*',
        Condition: { NotIpAddress: { 'aws:SourceIp': source_ip }, Bool: { 'aws:ViaAWSService': 'false' } },
      }
      expect(JSON.parse(grant({ source_ip }).sessionPolicy)).toEqual({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }, deny],
      })
      const own = JSON.parse(grant({ source_ip, session_policy: policy }).sessionPolicy)
      expect(own.Statement).toHaveLength(2)
      expect(own.Statement[1]).toEqual(deny)
    })
  })

  describe('P13 GetSessionToken', () => {
    const session = t.rule({
      id: 'session',
      protocols: ['go-v1'],
      aws: { action: 'get_session_token', role_arn: undefined },
    })
    const go = (request: object) => t.input({ protocol: 'go-v1', request })

    it('is granted where a rule names it', () => {
      expect(t.grantOf(t.decideOn(go({ sessionToken: true }), session))).toMatchObject({
        action: 'GetSessionToken',
        roleArn: undefined,
        sessionPolicy: undefined,
        requirePackedPolicySize: false,
      })
    })
    it('is refused otherwise', () => {
      const role = t.rule({ protocols: ['v2', 'go-v1'] })
      expect(t.decideOn(go({ sessionToken: true }), role)).toEqual(t.denied('request.action'))
      expect(t.decideOn(go({ sessionToken: false }), session)).toEqual(t.denied('request.action'))
      expect(t.decideOn(go({ sessionToken: true, roleArn: t.READER }), session, role)).toEqual(
        t.denied('request.role_arn'),
      )
      expect(t.decideOn(t.input({ request: { sessionToken: true } }), session)).toEqual(t.denied('protocol'))
    })
    it('does not make the role of another rule ambiguous', () => {
      const role = t.rule({ protocols: ['go-v1'] })
      expect(t.grantOf(t.decideOn(go({}), session, role))).toMatchObject({ action: 'AssumeRole', roleArn: t.READER })
    })
  })
})
