import { describe, expect, it, jest } from '@jest/globals'
import { BrokerClientError, retrying } from '../src/client.ts'
import { EkmTlsError } from '../src/index.ts'

const refused = (status: number, retryAfterSeconds?: number): BrokerClientError =>
  new BrokerClientError('ERR_BROKER_REFUSED', 'no', {
    refusal: { status, code: 'x', requestId: undefined, retryAfterSeconds },
  })

describe('retrying', () => {
  it.each([
    ['429', refused(429, 0)],
    ['503', refused(503, 0)],
  ])('C17 tries again after %s, as often as it may', async (_name, error) => {
    const attempt = jest.fn<() => Promise<string>>().mockRejectedValueOnce(error).mockResolvedValueOnce('keys')
    await expect(retrying(attempt)).resolves.toBe('keys')
    const never = jest.fn<() => Promise<string>>().mockRejectedValue(error)
    await expect(retrying(never, { maxAttempts: 3 })).rejects.toBe(error)
    expect(never).toHaveBeenCalledTimes(3)
  })

  it('tries again, soon, when nobody was there', async () => {
    const gone = new EkmTlsError('ERR_EKM_UNREACHABLE', 'gone')
    const attempt = jest.fn<() => Promise<string>>().mockRejectedValueOnce(gone).mockResolvedValueOnce('keys')
    await expect(retrying(attempt, { maxDelayMs: 1 })).resolves.toBe('keys')
  })

  it.each([
    ['401', refused(401)],
    ['403', refused(403)],
    ['a broker that is not trusted', new EkmTlsError('ERR_EKM_UNTRUSTED', 'x')],
    ['a launcher that gives no token', new BrokerClientError('ERR_ATTESTATION_REFUSED', 'x')],
    ['anything else', new Error('x')],
  ])('C17 takes %s for final', async (_name, error) => {
    const attempt = jest.fn<() => Promise<string>>().mockRejectedValue(error)
    await expect(retrying(attempt)).rejects.toBe(error)
    expect(attempt).toHaveBeenCalledTimes(1)
  })

  it('C17 waits no longer than it may, whatever the broker asks for', async () => {
    const attempt = jest
      .fn<() => Promise<string>>()
      .mockRejectedValueOnce(refused(503, 3600))
      .mockResolvedValueOnce('keys')
    await expect(retrying(attempt, { maxDelayMs: 1 })).resolves.toBe('keys')
  }, 2_000)

  it('C07 stops waiting when told to', async () => {
    const attempt = jest.fn<() => Promise<string>>().mockRejectedValue(refused(503, 60))
    await expect(retrying(attempt, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    expect(attempt).toHaveBeenCalledTimes(1)
  })
})
