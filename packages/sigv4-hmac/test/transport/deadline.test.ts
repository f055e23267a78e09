import { getEventListeners } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { withDeadline } from '../../src/transport.ts'

const late = new Error('late')
const aborted = new Error('aborted')
const limits = (timeoutMs: number, signal?: AbortSignal) => ({
  timeoutMs,
  signal,
  onTimeout: () => late,
  onAbort: () => aborted,
})
const never = () => new Promise<never>(() => {})

describe('withDeadline', () => {
  it('gives what the work gives, and leaves nothing behind', async () => {
    const { signal } = new AbortController()
    expect(await withDeadline(limits(10_000, signal), async () => 1)).toBe(1)
    await expect(withDeadline(limits(10_000, signal), () => Promise.reject(late))).rejects.toBe(late)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('U05: ends when the time is up, whether or not the work obeys', async () => {
    await expect(withDeadline(limits(20), never)).rejects.toBe(late)
    const obeys = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('mine'))))
    await expect(withDeadline(limits(20), obeys)).rejects.toBe(late)
  })

  it('U09: ends with the signal of the caller, and does not begin once it has fired', async () => {
    const controller = new AbortController()
    let inner: AbortSignal | undefined
    const ends = withDeadline(limits(10_000, controller.signal), (signal) => {
      inner = signal
      return never()
    })
    controller.abort()
    await expect(ends).rejects.toBe(aborted)
    expect(inner?.reason).toBe(aborted)
    let began = false
    await expect(
      withDeadline(limits(10_000, controller.signal), async () => {
        began = true
      }),
    ).rejects.toBe(aborted)
    expect(began).toBe(false)
  })
})
