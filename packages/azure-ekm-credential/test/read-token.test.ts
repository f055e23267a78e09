import { describe, expect, it } from '@jest/globals'
import { EkmCredentialError } from '../src/index.ts'
import { type Expected, readToken } from '../src/internal/read-token.ts'
import { CLIENT, SCOPE, TENANT } from './harness.ts'
import { jwt, tokenFor } from './scripted-broker.ts'

const NOW = Date.parse('2026-08-22T12:00:00Z')
const expected: Expected = { protocol: 'v2', scope: SCOPE, tenantId: TENANT, clientId: CLIENT, now: NOW }
const answer = tokenFor(3600, NOW)
const goAnswer = { expires_in: '2026-08-22T13:00:00Z', access_token: answer.access_token }

function codeOf(other: object, asked: Partial<Expected> = {}): string {
  try {
    const base = asked.protocol === 'go-v1' ? goAnswer : answer
    readToken({ ...base, ...other }, { ...expected, ...asked })
    return 'accepted'
  } catch (error) {
    if (error instanceof EkmCredentialError) return error.code
    throw error
  }
}

describe('readToken', () => {
  it('reads a v2 answer', () => {
    expect(readToken(answer, expected)).toEqual({ token: answer.access_token, expiresOnTimestamp: NOW + 3_600_000 })
  })

  it('reads the answer of the Go server: no type, a time for a number, with an offset and nanoseconds', () => {
    const go = { ...goAnswer, expires_in: '2026-08-22T14:59:59.123456789+02:00' }
    const { expiresOnTimestamp } = readToken(go, { ...expected, protocol: 'go-v1' })
    expect(new Date(expiresOnTimestamp)).toEqual(new Date('2026-08-22T12:59:59.123Z'))
  })

  it.each(['Bearer', 'bearer', 'BEARER'])('takes the type %s', (token_type) => {
    expect(codeOf({ token_type })).toBe('accepted')
  })

  it.each([
    [
      'access_token',
      [undefined, '', 7, 'a b', 'x\r\ny: z', 'ä', '=', 'a=b', 'x'.repeat(16_385), ['x'], { toString: () => 'x' }],
    ],
    ['token_type', [undefined, '', 7, 'pop', 'Bearer ', 'mac', ['Bearer']]],
    ['expires_on', [undefined, '', '1787400000', NOW / 1000 + 0.5, Number.NaN, 1e300, null, '2026-08-22T13:00:00Z']],
  ])('U21 refuses an answer whose %s is none', (field, values) => {
    for (const value of values) expect([value, codeOf({ [field]: value })]).toEqual([value, 'ERR_EKM_RESPONSE'])
  })

  it.each([
    ['past', -1],
    ['now', 0],
    ['in 30 days', 30 * 86_400],
    ['one second beyond a day and 15 minutes', 86_400 + 901],
    ['in milliseconds', (NOW / 1000) * 999],
  ])('C11 refuses an end that is %s', (_what, seconds) => {
    expect(codeOf({ expires_on: NOW / 1000 + seconds })).toBe('ERR_EKM_RESPONSE')
    if (seconds < 1e9) {
      const expires_in = new Date(NOW + seconds * 1000).toISOString()
      expect(codeOf({ expires_in }, { protocol: 'go-v1' })).toBe('ERR_EKM_RESPONSE')
    }
  })

  it.each([
    ['in 30 s', 30, 0],
    ['a day and 15 minutes ahead', 86_400 + 900, 0],
    ['in an hour, our clock 10 minutes slow', 3600, -600_000],
    ['in an hour, our clock 10 minutes fast', 3600, 600_000],
  ])('C11 takes an end that is %s', (_what, seconds, skew) => {
    expect(codeOf({ expires_on: NOW / 1000 + seconds }, { now: NOW + skew })).toBe('accepted')
  })

  it.each([
    ['without a zone', '2026-08-22T13:00:00'],
    ['a date', '2026-08-22'],
    ['a day that is none', '2026-13-45T13:00:00Z'],
    ['what its name says', 3599],
    ['absent', undefined],
  ])('C11 refuses a Go-v1 end that is %s', (_what, expires_in) => {
    expect(codeOf({ expires_in }, { protocol: 'go-v1' })).toBe('ERR_EKM_RESPONSE')
  })
})

describe('assertIdentity', () => {
  const token = (claims: object, asked?: Partial<Expected>) => codeOf({ access_token: jwt(claims) }, asked)
  const aud = (scope: string, value: unknown) => token({ aud: value }, { scope })

  it.each<[string, object]>([
    ['tenant', { tid: '22222222-3333-4444-8555-666666666666' }],
    ['tenant, as it names none', { tid: undefined }],
    ['application (version 1.0)', { appid: '22222222-3333-4444-8555-666666666666' }],
    ['application (version 2.0)', { appid: undefined, azp: '22222222-3333-4444-8555-666666666666' }],
    ['resource', { aud: 'https://management.azure.com' }],
    ['resource that begins the same', { aud: 'https://storage.azure.com.example.com' }],
  ])('C10 U21 refuses a token of another %s', (_what, claims) => {
    expect(token(claims)).toBe('ERR_EKM_IDENTITY_MISMATCH')
  })

  it.each([
    [SCOPE, 'https://storage.azure.com'],
    [SCOPE, 'https://storage.azure.com/'],
    [SCOPE, 'https://Storage.Azure.com'],
    ['https://management.core.windows.net//.default', 'https://management.core.windows.net/'],
    ['https://management.core.windows.net//.default', 'https://management.core.windows.net'],
    ['https://graph.microsoft.com/.default', '00000003-0000-0000-c000-000000000000'],
    ['00000003-0000-0000-c000-000000000000/.default', 'https://graph.microsoft.com'],
    [SCOPE, undefined],
    [SCOPE, 7],
  ])('takes for %s a token whose audience is %s', (scope, value) => {
    expect(aud(scope, value)).toBe('accepted')
  })

  it('compares ids whatever their case, and only where they were asked for', () => {
    expect(token({ tid: TENANT.toUpperCase(), appid: CLIENT.toUpperCase() })).toBe('accepted')
    expect(token({ tid: 'x', appid: 'y' }, { tenantId: undefined, clientId: undefined })).toBe('accepted')
    expect(token({ appid: undefined })).toBe('accepted')
  })

  it.each(['opaque', 'a.b.c', `e30.${Buffer.from('null').toString('base64url')}.x`, 'e30.e30.e30.e30.e30', 'e30.e30'])(
    'concludes nothing from a token that it can’t read: %s',
    (access_token) => {
      expect(codeOf({ access_token })).toBe('accepted')
    },
  )
})
