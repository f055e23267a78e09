import { describe, expect, it } from '@jest/globals'
import { BrokerClientError, describeFailure } from '../src/client.ts'
import { EkmTlsError } from '../src/index.ts'

describe('describeFailure', () => {
  it('lets the next provider try where nobody is, or has time', () => {
    const busy = { status: 503, code: 'overloaded', requestId: 'r', retryAfterSeconds: 2 }
    for (const cause of [
      new EkmTlsError('ERR_EKM_UNREACHABLE', 'gone'),
      new BrokerClientError('ERR_ATTESTATION_UNAVAILABLE', 'gone'),
      new BrokerClientError('ERR_BROKER_REFUSED', 'gone', { refusal: busy }),
    ]) {
      expect(describeFailure(cause)).toMatchObject({ why: ': gone', tryNext: true })
    }
  })

  it('C17 stops where the broker said no, and says where to look', () => {
    const refusal = { status: 403, code: 'policy_denied', requestId: 'r', retryAfterSeconds: undefined }
    expect(describeFailure(new BrokerClientError('ERR_BROKER_REFUSED', 'no', { refusal }))).toEqual({
      code: 'ERR_EKM_BROKER_REFUSED',
      why: ": no (the broker's audit log has the reason under this request id)",
      refusal,
      tryNext: false,
    })
  })

  it('C13 quotes no error that is not ours', () => {
    const unknown = { code: 'ERR_EKM_RESPONSE', why: '', refusal: undefined, tryNext: false }
    expect(describeFailure(new Error('secret'))).toEqual(unknown)
    expect(describeFailure('secret')).toEqual(unknown)
    const aborted = Object.assign(new Error('secret'), { name: 'AbortError' })
    expect(describeFailure(aborted)).toEqual({ ...unknown, code: 'ERR_EKM_TIMEOUT' })
  })
})
