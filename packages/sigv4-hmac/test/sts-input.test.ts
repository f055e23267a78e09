import { AssumeRoleCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { stsForm } from '../src/internal/sts-form.ts'
import { checkAssumeRole, checkGetSessionToken } from '../src/internal/sts-input-checks.ts'
import type { AssumeRoleInput, GetSessionTokenInput } from '../src/sts-input.ts'
import { ROLE } from './sts-harness.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
const KEY_ID = 'AKIAIOSFODNN7EXAMPLE'

let sent = ''
const sdk = new STSClient({
  region: 'us-east-1',
  credentials: { accessKeyId: KEY_ID, secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  maxAttempts: 1,
  requestHandler: {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async ({ body }: { body: string }) => {
      sent = body
      throw new Error('seen enough')
    },
  },
})
afterAll(() => sdk.destroy())

/** Names and values, in an order of their own: repeated names would show. */
const decoded = (body: string) => [...new URLSearchParams(body)].sort(([a], [b]) => (a < b ? -1 : 1))

const chars = (allowed: string, min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...allowed), minLength: min, maxLength: max })
const ALNUM = 'abcXYZ019_'
const name = chars(`${ALNUM}+=,.@-`, 2, 64)
const tagText = (min: number, max: number) => chars(`${ALNUM} éß中.:/=+-@`, min, max)
const tagKey = tagText(1, 40).filter((it) => !/^aws:/i.test(it))
const policy = fc
  .jsonValue()
  .map((it) => JSON.stringify({ Statement: it }))
  .filter((it) => /^[ -\u00ff]{1,2048}$/.test(it))
const mfa = {
  SerialNumber: fc.constantFrom('GAHT12345678', 'arn:aws:iam::111122223333:mfa/user'),
  TokenCode: chars('0123456789', 6, 6),
}
const size = fc.integer({ min: 0, max: 4096 })

/** Every field, each of them often left out. */
const assumeRole = fc
  .record(
    {
      RoleArn: fc.constantFrom(ROLE, 'arn:aws-cn:iam::444455556666:role/a(b)/Reader'),
      RoleSessionName: name,
      PolicyArns: fc.array(
        fc.record({
          arn: fc.constantFrom('arn:aws:iam::aws:policy/ReadOnlyAccess', 'arn:aws:iam::111122223333:policy/p/q'),
        }),
        { maxLength: 3 },
      ),
      Policy: policy,
      DurationSeconds: fc.integer({ min: 900, max: 43_200 }),
      Tags: fc.uniqueArray(fc.record({ Key: tagKey, Value: tagText(0, 40) }), {
        maxLength: 5,
        selector: (it) => it.Key.toLowerCase(),
      }),
      ExternalId: chars(`${ALNUM}+=,.@:/-`, 2, 80),
      ...mfa,
      SourceIdentity: name,
      ProvidedContexts: fc.array(
        fc.record({
          ProviderArn: fc.constant('arn:aws:iam::aws:contextProvider/IdentityCenter'),
          ContextAssertion: tagText(4, 40),
        }),
        { maxLength: 2 },
      ),
      MinimumSessionTokenSize: size,
    },
    { requiredKeys: ['RoleArn', 'RoleSessionName'] },
  )
  .chain((input) => {
    const { SerialNumber: _, TokenCode: __, ...rest } = input
    const both = 'SerialNumber' in input && 'TokenCode' in input ? input : rest
    const keys = input.Tags?.map(({ Key }) => Key) ?? []
    return fc.option(fc.subarray(keys), { nil: undefined }).map((TransitiveTagKeys) => ({ ...both, TransitiveTagKeys }))
  })

describe('S08 every field reaches the wire', () => {
  it('S08 of AssumeRole, as the SDK writes it', async () => {
    const fields = new Set<string>()
    await fc.assert(
      fc.asyncProperty(assumeRole, async (input) => {
        await sdk.send(new AssumeRoleCommand(input)).catch(() => {})
        const ours = stsForm('AssumeRole', checkAssumeRole(input as AssumeRoleInput, KEY_ID))
        expect(decoded(ours)).toEqual(decoded(sent))
        for (const [field] of decoded(ours)) fields.add(field.split('.')[0]!)
      }),
      { numRuns: 500 },
    )
    expect(fields.size).toBe(2 + 13) // Action, Version and all that the API has
  })

  it('S08 of GetSessionToken, as the SDK writes it', async () => {
    const DurationSeconds = fc.integer({ min: 900, max: 129_600 })
    const fields = { DurationSeconds, MinimumSessionTokenSize: size }
    const input = fc.oneof(
      fc.record(fields, { requiredKeys: [] }),
      fc.record({ ...fields, ...mfa }, { requiredKeys: ['SerialNumber', 'TokenCode'] }),
    )
    await fc.assert(
      fc.asyncProperty(input, async (it) => {
        await sdk.send(new GetSessionTokenCommand(it)).catch(() => {})
        expect(decoded(stsForm('GetSessionToken', checkGetSessionToken(it as GetSessionTokenInput)))).toEqual(
          decoded(sent),
        )
      }),
      { numRuns: 200 },
    )
  })

  it('S08 as octets, not as their look', () => {
    const form = stsForm('AssumeRole', {
      Policy: '{"a":"é&=+ %\u00ff"}',
      Tags: [{ Key: "!'()*~", Value: '' }],
      TransitiveTagKeys: [],
    })
    expect(form).toBe(
      'Action=AssumeRole&Version=2011-06-15&Policy=%7B%22a%22%3A%22%C3%A9%26%3D%2B%20%25%C3%BF%22%7D' +
        '&Tags.member.1.Key=%21%27%28%29%2A~&Tags.member.1.Value=&TransitiveTagKeys=',
    )
  })
})

describe('S09 what can not be right', () => {
  const tag = (Key: string, Value = 'v') => ({ Key, Value })

  it.each<[string, object, string]>([
    ['no role', { RoleArn: undefined }, 'RoleArn'],
    ['a role that is a user', { RoleArn: 'arn:aws:iam::444455556666:user/x' }, 'RoleArn'],
    ['S03 a role with a line feed', { RoleArn: `${ROLE}\n` }, 'RoleArn'],
    ['S03 a role with NUL', { RoleArn: 'arn:aws:iam::444455556666:role/a\0b' }, 'RoleArn'],
    ['S03 a session name with a line feed', { RoleSessionName: 'a\r\nb' }, 'RoleSessionName'],
    ['S03 a session name with a slash', { RoleSessionName: 'a/b' }, 'RoleSessionName'],
    ['a session name of one character', { RoleSessionName: 'x' }, 'RoleSessionName'],
    ['899 seconds', { DurationSeconds: 899 }, 'DurationSeconds'],
    ['43201 seconds', { DurationSeconds: 43_201 }, 'DurationSeconds'],
    ['half a second', { DurationSeconds: 900.5 }, 'DurationSeconds'],
    ['seconds as text', { DurationSeconds: '900' }, 'DurationSeconds'],
    ['null', { Policy: null }, 'Policy'],
    ['a policy that is no JSON', { Policy: '{' }, 'Policy'],
    ['a policy that is a list', { Policy: '[]' }, 'Policy'],
    ['a policy of 2049 characters', { Policy: `{"a":"${'x'.repeat(2041)}"}` }, 'Policy'],
    ['a policy as an object', { Policy: {} }, 'Policy'],
    [
      '11 policies',
      { PolicyArns: Array.from({ length: 11 }, () => ({ arn: 'arn:aws:iam::aws:policy/x' })) },
      'PolicyArns',
    ],
    ['a policy by another field', { PolicyArns: [{ Arn: 'arn:aws:iam::aws:policy/x' }] }, 'PolicyArns[0]'],
    ['a policy without its field', { PolicyArns: [{}] }, 'PolicyArns[0].arn'],
    ['tags as an object', { Tags: { a: 'b' } }, 'Tags'],
    ['51 tags', { Tags: Array.from({ length: 51 }, (_, i) => tag(`k${i}`)) }, 'Tags'],
    ['a tag of AWS', { Tags: [tag('AWS:x')] }, 'Tags[0].Key'],
    ['a tag without a value', { Tags: [{ Key: 'k' }] }, 'Tags[0].Value'],
    ['tags that differ in case alone', { Tags: [tag('k'), tag('K')] }, 'Tags'],
    ['a transitive key that is no tag', { Tags: [tag('k')], TransitiveTagKeys: ['x'] }, 'TransitiveTagKeys'],
    ['a transitive key twice', { Tags: [tag('k')], TransitiveTagKeys: ['k', 'k'] }, 'TransitiveTagKeys'],
    ['an external id with a blank', { ExternalId: 'a b' }, 'ExternalId'],
    ['S09 a device without a code', { SerialNumber: 'GAHT12345678' }, 'SerialNumber'],
    ['S09 a code without a device', { TokenCode: '123456' }, 'TokenCode'],
    ['a code of five digits', { SerialNumber: 'GAHT12345678', TokenCode: '12345' }, 'TokenCode'],
    ['six contexts', { ProvidedContexts: Array.from({ length: 6 }, () => ({})) }, 'ProvidedContexts'],
    ['a token of 4097 octets', { MinimumSessionTokenSize: 4097 }, 'MinimumSessionTokenSize'],
    ['S09 a field that AWS does not know', { roleSessionName: 'x' }, 'roleSessionName'],
    ['S09 a field of another action', { WebIdentityToken: 'x' }, 'WebIdentityToken'],
  ])('%s', (_, change, field) => {
    const input = { RoleArn: ROLE, ...change } as unknown as AssumeRoleInput
    expect(() => checkAssumeRole(input, KEY_ID)).toThrow(field)
  })

  it.each<[object, string]>([
    [{ DurationSeconds: 129_601 }, 'DurationSeconds'],
    [{ RoleArn: ROLE }, 'RoleArn'],
    [{ SerialNumber: 'GAHT12345678' }, 'TokenCode'],
  ])('S09 of GetSessionToken: %j', (input, field) => {
    expect(() => checkGetSessionToken(input as GetSessionTokenInput)).toThrow(field)
  })

  it('S09 refuses to compile where a device comes without its code', () => {
    // @ts-expect-error no TokenCode
    const one: AssumeRoleInput = { RoleArn: ROLE, SerialNumber: 'GAHT12345678' }
    // @ts-expect-error no SerialNumber
    const two: GetSessionTokenInput = { TokenCode: '123456' }
    // @ts-expect-error not a field of the API
    const three: AssumeRoleInput = { RoleArn: ROLE, sessionName: 'x' }
    expect([one, two, three]).toHaveLength(3)
  })

  it('does not show a token code', () => {
    const input = { RoleArn: ROLE, SerialNumber: 'GAHT12345678', TokenCode: '98765' }
    expect(() => checkAssumeRole(input, KEY_ID)).toThrow(/^(?!.*98765)/)
  })
})

describe('checkAssumeRole', () => {
  it('gives a copy, and a name that is made of the key id', () => {
    const input = { RoleArn: ROLE, Tags: [{ Key: 'k', Value: 'v' }], Policy: undefined }
    const checked = checkAssumeRole(input, 'A'.repeat(128))
    input.Tags[0]!.Value = 'changed'
    expect(checked).toEqual({
      RoleArn: ROLE,
      Tags: [{ Key: 'k', Value: 'v' }],
      RoleSessionName: `hardbound-${'A'.repeat(54)}`,
    })
  })
})
