import { describe, expect, it, jest } from '@jest/globals'
import { keepFresh } from '../src/internal/keep-fresh.ts'

function setUp(dueInMs: () => number, get = async (): Promise<unknown> => undefined) {
  jest.useFakeTimers()
  const closing = new AbortController()
  const source = { get: jest.fn(get), cooldownMs: () => 0, isIdle: () => true, dueInMs, state: jest.fn<never>() }
  keepFresh(source, closing.signal)
  return { source, closing }
}

describe('keepFresh', () => {
  it('asks when it is due', async () => {
    const { source, closing } = setUp(() => 10_000)
    await jest.advanceTimersByTimeAsync(9999)
    expect(source.get).not.toHaveBeenCalled()
    await jest.advanceTimersByTimeAsync(1)
    expect(source.get).toHaveBeenCalledTimes(1)
    await jest.advanceTimersByTimeAsync(10_000)
    expect(source.get).toHaveBeenCalledTimes(2)
    closing.abort()
    jest.useRealTimers()
  })

  it('I19 looks twice a minute, as a clock may be set and a machine may sleep', async () => {
    const { source, closing } = setUp(() => 3_600_000)
    await jest.advanceTimersByTimeAsync(60_000)
    expect(source.get).toHaveBeenCalledTimes(2)
    closing.abort()
    jest.useRealTimers()
  })

  it('I19 does not spin, and goes on after a failure', async () => {
    const { source, closing } = setUp(
      () => 0,
      async () => Promise.reject(new Error('down')),
    )
    await jest.advanceTimersByTimeAsync(5000)
    expect(source.get).toHaveBeenCalledTimes(10)
    closing.abort()
    jest.useRealTimers()
  })

  it('ends when the server closes', async () => {
    const { source, closing } = setUp(() => 1000)
    closing.abort()
    await jest.advanceTimersByTimeAsync(60_000)
    expect(source.get).not.toHaveBeenCalled()
    expect(jest.getTimerCount()).toBe(0)
    jest.useRealTimers()
  })
})
