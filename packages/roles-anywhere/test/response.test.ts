import { describe, expect, it } from '@jest/globals'
import { checkAsked } from '../src/asked.ts'
import { readSession } from '../src/response.ts'
import { ANCHOR, PROFILE, ROLE } from './harness.ts'

const NOW = Date.UTC(2026, 10, 1, 12)
const asked = checkAsked({
  trustAnchorArn: ANCHOR,
  profileArn: PROFILE,
  roleArn: ROLE,
  durationSeconds: 900,
  roleSessionName: 'worked',
})
const CREDENTIALS = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjEXAMPLETOKEN',
  expiration: '2026-11-01T12:15:00Z',
}
const SET = {
  assumedRoleUser: { arn: 'arn:aws:sts::111122223333:assumed-role/reader/worked', assumedRoleId: 'AROAEXAMPLE:worked' },
  credentials: CREDENTIALS,
  packedPolicySize: 10,
  roleArn: ROLE,
  sourceIdentity: 'CN=worked.example',
}
const read = (answer: unknown, of = asked) =>
  readSession(Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer)), of, NOW)
const withSet = (over: object) => ({ credentialSet: [{ ...SET, ...over }], subjectArn: `${ANCHOR}/s` })
const withKeys = (over: object) => withSet({ credentials: { ...CREDENTIALS, ...over } })

describe('readSession', () => {
  it('reads what the service answers', () => {
    const { expiration, ...credentials } = CREDENTIALS
    expect(read(withSet({}))).toEqual({
      ...credentials,
      expiration: new Date(expiration),
      expirationText: expiration,
      accountId: '111122223333',
      assumedRoleArn: SET.assumedRoleUser.arn,
      subjectArn: `${ANCHOR}/s`,
    })
  })

  it('takes whatever session name the service chose, where none was asked for', () => {
    const arn = 'arn:aws:sts::111122223333:assumed-role/reader/0123456789abcdef'
    const session = read(withSet({ assumedRoleUser: { arn } }), { ...asked, roleSessionName: undefined })
    expect(session.assumedRoleArn).toBe(arn)
  })

  it('does not need both names of the role', () => {
    expect(read(withSet({ roleArn: undefined })).assumedRoleArn).toBe(SET.assumedRoleUser.arn)
    expect(read(withSet({ assumedRoleUser: undefined })).assumedRoleArn).toBeUndefined()
  })

  it.each<[string, unknown]>([
    ['U16: nothing', ''],
    ['U16: a page', '<html>wJalrXUtnFEMI</html>'],
    ['U16: a list', []],
    ['U16: null', 'null'],
    ['U20: no set', {}],
    ['U20: an empty set', { credentialSet: [] }],
    ['U20: two sets', { credentialSet: [SET, SET] }],
    ['U20: a set that is no object', { credentialSet: ['x'] }],
    ['U20: no credentials', withSet({ credentials: undefined })],
    ['U17: no access key id', withKeys({ accessKeyId: undefined })],
    ['U17: a long-term access key id', withKeys({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE' })],
    ['U17: an empty secret', withKeys({ secretAccessKey: '' })],
    ['U17: a secret with a line feed', withKeys({ secretAccessKey: `${CREDENTIALS.secretAccessKey}\n` })],
    ['U17: no token', withKeys({ sessionToken: null })],
    ['U17: a token of 1 MB', withKeys({ sessionToken: 'x'.repeat(1_000_000) })],
    ['U20: no expiration', withKeys({ expiration: undefined })],
    ['U20: an expiration that is a number', withKeys({ expiration: 1_793_534_400 })],
    ['C11: an expiration without a zone', withKeys({ expiration: '2026-11-01T12:15:00' })],
    ['U20: an expiration that is no time', withKeys({ expiration: '2026-13-01T12:15:00Z' })],
    ['C11: expired', withKeys({ expiration: '2026-11-01T12:00:00Z' })],
    ['C11: longer than asked for', withKeys({ expiration: '2026-11-01T12:20:01Z' })],
    ['C10: of another role', withSet({ roleArn: 'arn:aws:iam::111122223333:role/path/writer' })],
    ['C10: of another path', withSet({ roleArn: 'arn:aws:iam::111122223333:role/reader' })],
    ['C10: of another account', withSet({ assumedRoleUser: { arn: SET.assumedRoleUser.arn.replace('1111', '2222') } })],
    ['C10: of another session', withSet({ assumedRoleUser: { arn: `${SET.assumedRoleUser.arn}2` } })],
    ['C10: of another form', withSet({ assumedRoleUser: { arn: ROLE } })],
    ['C10: of nobody', withSet({ assumedRoleUser: undefined, roleArn: undefined })],
  ])('%s', (_, answer) => {
    const error = thrownBy(() => read(answer))
    expect(error.code).toBe('ERR_RA_RESPONSE')
    expect(error.cause).toBeUndefined()
    expect(error.message).not.toContain('wJalrXUtnFEMI')
  })

  it('a prototype is no answer', () => {
    const text = `{"credentialSet":[{"__proto__":${JSON.stringify(SET)}}]}`
    expect(thrownBy(() => read(text))).toMatchObject({ code: 'ERR_RA_RESPONSE' })
  })
})

function thrownBy(work: () => unknown): Error & Record<string, unknown> {
  try {
    work()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('nothing was thrown')
}

describe('readSession that is told what to do with what is odd', () => {
  // What the helper's own tests answer with.
  const odd = {
    credentialSet: [
      {
        assumedRoleUser: { arn: 'arn:aws:sts::000000000000:assumed-role/ExampleS3WriteRole', assumedRoleId: 'id' },
        credentials: {
          accessKeyId: 'accessKeyId',
          expiration: '2022-07-27T04:36:55Z',
          secretAccessKey: 'secretAccessKey',
          sessionToken: 'sessionToken',
        },
        roleArn: 'arn:aws:iam::000000000000:role/ExampleS3WriteRole',
      },
    ],
    subjectArn: '',
  }
  const readOdd = (answer: unknown) => {
    const said: string[] = []
    const session = readSession(Buffer.from(JSON.stringify(answer)), asked, NOW, ({ message }) => said.push(message))
    return { session, said }
  }

  it('takes it, and says it without a value', () => {
    const { session, said } = readOdd(odd)
    expect(session).toMatchObject({ accessKeyId: 'accessKeyId', expirationText: '2022-07-27T04:36:55Z' })
    expect(said.length).toBeGreaterThan(3)
    expect(said.join()).not.toContain('2022')
    expect(readOdd(withSet({})).said).toEqual([])
  })

  it.each([
    ['U17 an empty secret', withKeys({ secretAccessKey: '' })],
    ['U17 a secret with a line feed', withKeys({ secretAccessKey: 'x\ny' })],
    ['U17 a token of 1 MB', withKeys({ sessionToken: 'x'.repeat(1_000_000) })],
    ['U20 two sets', { credentialSet: [SET, SET] }],
    ['U20 an expiration that is no time', withKeys({ expiration: 'tomorrow' })],
  ])('refuses %s all the same', (_, answer) => {
    expect(() => readOdd(answer)).toThrow(expect.objectContaining({ code: 'ERR_RA_RESPONSE' }))
  })
})
