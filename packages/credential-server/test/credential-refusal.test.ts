import { AuthenticationError, CredentialUnavailableError } from '@azure/identity'
import { describe, expect, it } from '@jest/globals'
import { credentialRefusal } from '../src/internal/credential-refusal.ts'
import { Refusal } from '../src/internal/refusal.ts'
import { DeadlineError } from '../src/internal/with-deadline.ts'

const named = (name: string, rest: object = {}) => Object.assign(new Error('canary'), { name }, rest)

describe('credentialRefusal', () => {
  it.each([
    [503, new CredentialUnavailableError('canary')],
    [503, named('AggregateAuthenticationError')],
    [503, new DeadlineError('canary')],
    [503, named('AuthenticationError', { code: 'ERR_EKM_TIMEOUT' })],
    [503, named('CredentialUnavailableError', { code: 'ERR_EKM_BROKER_UNREACHABLE' })],
    [503, new AuthenticationError(503, 'canary')],
    [503, new AuthenticationError(429, 'canary')],
    [403, new AuthenticationError(401, 'canary')],
    [403, named('AuthenticationError', { code: 'ERR_EKM_BROKER_REFUSED', statusCode: 403 })],
    [500, named('AuthenticationError', { code: 'ERR_EKM_BROKER_UNTRUSTED' })],
    [500, new TypeError('canary')],
    [500, 'canary'],
    [500, null],
    [500, named('x', { statusCode: 200 })],
  ])('U21 makes %i of %p, and says nothing of its text', (status, error) => {
    const refusal = credentialRefusal(error)
    expect(refusal).toMatchObject({ status, reason: 'credential' })
    expect(refusal.message + JSON.stringify(refusal.options)).not.toContain('canary')
  })

  it('tells a code of ours, and no other', () => {
    expect(credentialRefusal(named('x', { code: 'ERR_EKM_SCOPE' })).message).toBe(
      'the credential failed (ERR_EKM_SCOPE)',
    )
    for (const code of ['AADSTS7000215: canary', 'ERR_canary', `ERR_${'X'.repeat(61)}`, 7]) {
      expect(credentialRefusal(named('x', { code })).message).toBe('the credential failed')
    }
  })

  it('says when to come back, but not after a no', () => {
    expect(credentialRefusal(new CredentialUnavailableError(''), 30).options.retryAfterSeconds).toBe(30)
    expect(credentialRefusal(new AuthenticationError(401, ''), 30).options.retryAfterSeconds).toBeUndefined()
    const own = new Refusal(503, 'credential', 'the credential gave no token')
    expect(credentialRefusal(own, 12)).toMatchObject({ message: own.message, options: { retryAfterSeconds: 12 } })
  })
})
