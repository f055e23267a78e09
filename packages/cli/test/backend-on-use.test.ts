import { type HmacBackend, HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { describe, expect, it, jest } from '@jest/globals'
import { backendOnUse } from '../src/internal/backend-on-use.ts'

const backend = () =>
  ({ name: 'test', hmacSha256: async () => Buffer.alloc(32, 1), close: jest.fn(async () => {}) }) satisfies HmacBackend

describe('backendOnUse', () => {
  it('M16 opens when it is first asked, so that no PIN is tried for flags that are wrong', async () => {
    const open = jest.fn(async () => backend())
    const lazy = backendOnUse('test', open)
    await new Promise(setImmediate)
    await lazy.close()
    expect(open).not.toHaveBeenCalled()
  })

  it('opens once, for all who ask, and closes what it opened', async () => {
    const opened = backend()
    const open = jest.fn(async () => opened)
    const lazy = backendOnUse('test', open)
    await Promise.all([lazy.hmacSha256(Buffer.of(1)), lazy.hmacSha256(Buffer.of(2))])
    expect(open).toHaveBeenCalledTimes(1)
    await lazy.close()
    expect(opened.close).toHaveBeenCalledTimes(1)
  })

  it('M16 does not open again where that failed', async () => {
    const open = jest.fn(async (): Promise<HmacBackend> => {
      throw new Error('refused')
    })
    const lazy = backendOnUse('test', open)
    for (let at = 0; at < 2; at++) await expect(lazy.hmacSha256(Buffer.of(1))).rejects.toThrow('refused')
    expect(open).toHaveBeenCalledTimes(1)
    await lazy.close()
  })

  it('opens again where the device was not there', async () => {
    const open = jest.fn(async (): Promise<HmacBackend> => backend())
    open.mockRejectedValueOnce(new HmacBackendError('ERR_HMAC_UNAVAILABLE', 'gone'))
    const lazy = backendOnUse('test', open)
    await expect(lazy.hmacSha256(Buffer.of(1))).rejects.toThrow('gone')
    await lazy.hmacSha256(Buffer.of(1))
    expect(open).toHaveBeenCalledTimes(2)
    await lazy.close()
  })
})
