import { describe, expect, it } from '@jest/globals'
import * as t from './helpers.ts'

const workload = (parts: t.Loose) => t.document(t.rule({ workload: parts }))
const aws = (parts: t.Loose) => t.document(t.rule({ aws: parts }))
const measured = (measurements: t.Loose) => workload({ image_digests: undefined, measurements })
const w = 'rules[0].workload'
const m = `${w}.measurements`
const g = 'rules[0].grant.aws'

describe('what a policy may hold', () => {
  it.each<[name: string, document: t.Loose, path: string]>([
    ['P03 a wildcard for a digest', workload({ image_digests: ['*'] }), `${w}.image_digests[0]`],
    ['P03 a prefix of a digest', workload({ image_digests: [t.DIGEST, 'sha256:aaaa*'] }), `${w}.image_digests[1]`],
    ['P03 a pattern for a digest', workload({ image_digests: ['sha256:.*'] }), `${w}.image_digests[0]`],
    ['K01 an upper-case digest', workload({ image_digests: [`sha256:${t.hex('A')}`] }), `${w}.image_digests[0]`],
    ['a list of no digests', workload({ image_digests: [] }), `${w}.image_digests`],
    ['no image condition', workload({ image_digests: undefined, project_numbers: ['1'] }), w],
    ['no measurements', measured({}), w],
    ['MRTD alone, which is the firmware', measured({ mrtd: [t.hex('e', 96)] }), `${m}.mrtd`],
    [
      'MRTD with RTMR0 alone, which is the firmware too',
      measured({ mrtd: [t.hex('e', 96)], rtmr0: [t.hex('1', 96)] }),
      `${m}.mrtd`,
    ],
    ['RTMRs without MRTD', measured({ rtmr1: [t.hex('1', 96)], rtmr2: [t.hex('2', 96)] }), `${m}.rtmr1`],
    [
      'a launch measurement alone, which many machines share',
      measured({ launch_measurement: [t.hex('f', 96)] }),
      `${m}.launch_measurement`,
    ],
    ['host data alone', measured({ host_data: [t.hex('1')] }), `${m}.host_data`],
    ['an RTMR of 64 digits', measured({ mrtd: [t.hex('e', 96)], rtmr1: [t.hex('1')] }), `${m}.rtmr1[0]`],
    ['P03 a wildcard for an RTMR', measured({ mrtd: [t.hex('e', 96)], rtmr3: ['*'] }), `${m}.rtmr3[0]`],
    ['a list of no RTMRs', measured({ mrtd: [t.hex('e', 96)], rtmr2: [] }), `${m}.rtmr2`],
    ['an RTMR that TDX does not have', measured({ mrtd: [t.hex('e', 96)], rtmr4: [t.hex('4', 96)] }), `${m}.rtmr4`],
    ['no signers', workload({ image_digests: undefined, signers: [] }), `${w}.signers`],
    ['a signer without algorithm', workload({ signers: [{ key_id: t.hex('b') }] }), `${w}.signers[0].algorithm`],
    ['P03 a pattern for a project', workload({ project_numbers: ['.*'] }), `${w}.project_numbers[0]`],
    ['a project number that is not text', workload({ project_numbers: [1234567890] }), `${w}.project_numbers[0]`],
    ['P03 a wildcard for an account', workload({ service_accounts: ['*@example.com'] }), `${w}.service_accounts[0]`],
    [
      'others without accounts',
      workload({ service_accounts_allow_others: true }),
      `${w}.service_accounts_allow_others`,
    ],
    ['a version with letters', workload({ min_swversion: 'v240500' }), `${w}.min_swversion`],
    ['a variable that is not text', workload({ env_override: { PORT: 8080 } }), `${w}.env_override.PORT`],
    ['P03 a pattern for an issuer', workload({ issuer: '.*' }), `${w}.issuer`],
    ['measurements beside digests', workload({ measurements: { mrtd: [t.hex('e', 96)] } }), `${w}.image_digests`],
    [
      'TDX and SEV-SNP in one rule',
      measured({ mrtd: [t.hex('e', 96)], rtmr1: [t.hex('1', 96)], host_data: [t.hex('1')] }),
      m,
    ],
    ['an empty peer', t.document(t.rule({ peer: {} })), 'rules[0].peer'],
    ['a list of no peers', t.document(t.rule({ peer: { dns: [] } })), 'rules[0].peer.dns'],
    ['P03 a wildcard for a peer', t.document(t.rule({ peer: { dns: ['*.example.com'] } })), 'rules[0].peer.dns[0]'],
    ['P03 a wildcard for a URI', t.document(t.rule({ peer: { uri: ['spiffe://*'] } })), 'rules[0].peer.uri[0]'],
    ['an id twice', t.document(t.rule(), t.rule()), 'rules[1].id'],
    ['an id with spaces', t.document(t.rule({ id: 'a b' })), 'rules[0].id'],
    ['an unknown protocol', t.document(t.rule({ protocols: ['v3'] })), 'rules[0].protocols[0]'],
    ['no protocols', t.document(t.rule({ protocols: [] })), 'rules[0].protocols'],
    ['no grant', t.document({ ...t.rule(), grant: {} }), 'rules[0].grant'],
    ['a target it does not know', t.document({ ...t.rule(), grant: { gcp: {} } }), 'rules[0].grant.gcp'],
    ['P02 an unknown key at the top', { ...t.document(), rule: [] }, 'rule'],
    ['another version', { ...t.document(), version: 2 }, 'version'],
    ['an account id that is not text', { ...t.document(), aws: { account_id: 111122223333 } }, 'aws.account_id'],

    ['no role', aws({ role_arn: undefined }), g],
    ['P03 a wildcard for a role', aws({ role_arn: 'arn:aws:iam::111122223333:role/*' }), `${g}.role_arn`],
    ['P03 a star for a role', aws({ role_arn: '*' }), `${g}.role_arn`],
    ['a user', aws({ role_arn: 'arn:aws:iam::111122223333:user/a' }), `${g}.role_arn`],
    ['role_arn and role_arns', aws({ role_arns: [t.WRITER] }), `${g}.role_arns`],
    ['a role twice', aws({ role_arn: undefined, role_arns: [t.READER, t.READER] }), `${g}.role_arns`],
    ['P14 a maximum below 900 s', aws({ max_duration_seconds: 899 }), `${g}.max_duration_seconds`],
    ['P14 a maximum above 12 h', aws({ max_duration_seconds: 43_201 }), `${g}.max_duration_seconds`],
    ['P14 a maximum in text', aws({ max_duration_seconds: '3600' }), `${g}.max_duration_seconds`],
    ['a tag of AWS', aws({ tags: { 'aws:x': 'y' } }), `${g}.tags`],
    ['tags that AWS takes for one', aws({ tags: { a: 'x', A: 'y' } }), `${g}.tags`],
    ['a tag key of 129 characters', aws({ tags: { [t.hex('k', 129)]: 'y' } }), `${g}.tags.${t.hex('k', 129)}`],
    ['51 tags', aws({ tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v'])) }), `${g}.tags`],
    ['a tag that AWS does not take', aws({ tags: { a: 'x*' } }), `${g}.tags.a`],
    [
      'a transitive tag that is not there',
      aws({ tags: { a: 'x' }, transitive_tags: ['b'] }),
      `${g}.transitive_tags[0]`,
    ],
    ['a source identity that AWS does not take', aws({ source_identity: 'a b' }), `${g}.source_identity`],
    ['GetSessionToken with a role', aws({ action: 'get_session_token' }), `${g}.role_arn`],
    ['GetSessionToken without go-v1', aws({ action: 'get_session_token', role_arn: undefined }), `${g}.action`],
    [
      'GetSessionToken with a session policy, which AWS would not see',
      t.document(
        t.rule({
          protocols: ['go-v1'],
          aws: { action: 'get_session_token', role_arn: undefined, source_ip: ['203.0.113.0/24'] },
        }),
      ),
      `${g}.source_ip`,
    ],
    ['another action', aws({ action: 'assume_root' }), `${g}.action`],
    ['P19 a private source network', aws({ source_ip: ['203.0.113.0/24', '10.0.0.0/8'] }), `${g}.source_ip[1]`],
  ])('refuses %s', (_name, document, path) => {
    expect(t.refusalOf(document)).toEqual(t.invalid(path))
  })

  it.each(['rtmr1', 'rtmr2', 'rtmr3'])('takes MRTD with %s for the name of an image', (rtmr) => {
    expect(() => t.policyOf(measured({ mrtd: [t.hex('e', 96)], [rtmr]: [t.hex('1', 96)] }).rules[0])).not.toThrow()
  })
  it('says what else is needed', () => {
    const refuse = (measurements: t.Loose) => () => t.policyOf(measured(measurements).rules[0])
    expect(refuse({ mrtd: [t.hex('e', 96)] })).toThrow('rtmr1, rtmr2 or rtmr3')
    expect(refuse({ rtmr1: [t.hex('1', 96)] })).toThrow('add mrtd')
    expect(refuse({ launch_measurement: [t.hex('f', 96)] })).toThrow('add host_data')
    expect(refuse({ host_data: [t.hex('1')] })).toThrow('add launch_measurement')
  })

  it('P21 asks for an external id where a role is not in the own account', () => {
    const other = 'arn:aws:iam::444455556666:role/reader'
    const at = t.invalid('rules[0].grant.aws.external_id')
    expect(t.refusalOf(aws({ role_arn: other }))).toEqual(at)
    expect(t.refusalOf(aws({ role_arn: undefined, role_arns: [t.READER, other] }))).toEqual(at)
    expect(t.refusalOf({ version: 1, rules: [t.rule()] })).toEqual(at)
    const named = t.policyOf(t.rule({ aws: { role_arn: other, external_id: 'example-7' } }))
    expect(t.grantOf(named.decide(t.input()))).toMatchObject({ roleArn: other, externalId: 'example-7' })
  })
})
