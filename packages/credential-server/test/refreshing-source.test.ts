import { describe, expect, it, jest } from '@jest/globals'
import { createRefreshingSource, type Expiring } from '../src/internal/refreshing-source.ts'

const HOUR = 3_600_000

function setUp(lifetime = HOUR, random = 0.5) {
  const state = { now: 1_700_000_000_000, calls: 0, lifetime, error: undefined as unknown }
  const closing = new AbortController()
  const failures: unknown[] = []
  const fetch = jest.fn(async (_signal: AbortSignal): Promise<Expiring & { id: number }> => {
    state.calls++
    if (state.error !== undefined) throw state.error
    return { id: state.calls, expiresAt: state.now + state.lifetime }
  })
  const source = createRefreshingSource({
    fetch,
    timeoutMs: 200,
    clock: () => state.now,
    random: () => random,
    closing: closing.signal,
    onFailure: (it) => failures.push(it),
  })
  return { state, source, fetch, closing, failures }
}
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('createRefreshingSource', () => {
  it('I18 fetches once for 500 callers that arrive together', async () => {
    const { source, fetch } = setUp()
    const all = await Promise.all(Array.from({ length: 500 }, () => source.get()))
    expect(new Set(all.map((it) => it.id))).toEqual(new Set([1]))
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  it.each([
    [0, 300_000],
    [0.5, 330_000],
    [0.999, 359_940],
  ])('I19 fetches again five minutes early, and up to one more (jitter %p)', async (random, early) => {
    const { state, source, fetch } = setUp(HOUR, random)
    await source.get()
    state.now += HOUR - early - 1
    await source.get()
    await settle()
    expect(fetch).toHaveBeenCalledTimes(1)
    state.now += 1
    await source.get()
    await settle()
    expect(fetch).toHaveBeenCalledTimes(2)
    expect((await source.get()).id).toBe(2)
  })

  it('refreshes in the background while SDKs still like what there is', async () => {
    const { state, source, fetch } = setUp()
    await source.get()
    state.now += HOUR - 310_000
    let arrive = (_: Expiring & { id: number }): void => {}
    fetch.mockReturnValueOnce(new Promise((resolve) => (arrive = resolve)))
    expect((await source.get()).id).toBe(1)
    expect(source.isIdle()).toBe(false)
    arrive({ id: 7, expiresAt: state.now + HOUR })
    await settle()
    expect((await source.get()).id).toBe(7)
  })

  it('waits for the next one when little is left', async () => {
    const { state, source } = setUp()
    await source.get()
    state.now += HOUR - 200_000
    expect((await source.get()).id).toBe(2)
  })

  it('I15 serves the last good one until its true expiry while upstream fails', async () => {
    const { state, source, failures } = setUp()
    const first = await source.get()
    state.error = new Error('down')
    state.now = first.expiresAt - 60_000
    expect(await source.get()).toBe(first)
    state.now = first.expiresAt - 1000
    expect(await source.get()).toBe(first)
    state.now = first.expiresAt - 999
    await expect(source.get()).rejects.toThrow('down')
    expect(failures).toHaveLength(2)
  })

  it('says when it is due', async () => {
    const { state, source } = setUp()
    expect(source.dueInMs()).toBe(0)
    await source.get()
    expect(source.dueInMs()).toBe(HOUR - 330_000)
    state.now += HOUR - 330_000
    expect(source.dueInMs()).toBe(0)
    state.error = new Error('down')
    await source.get()
    await settle()
    expect(source.dueInMs()).toBe(30_000)
    state.now += HOUR
    expect(source.dueInMs()).toBe(0)
  })

  it('I15 does not wait long for a silent upstream when it has one', async () => {
    const { state, source, fetch } = setUp()
    const first = await source.get()
    fetch.mockImplementation(() => new Promise(() => {}))
    state.now = first.expiresAt - 60_000
    expect(await source.get()).toBe(first)
  })

  it('I19 asks a failing upstream once in 30 s, whoever comes', async () => {
    const { state, source, fetch } = setUp()
    state.error = new Error('down')
    for (let second = 0; second < 90; second++) {
      await expect(Promise.all([source.get(), source.get()])).rejects.toThrow('down')
      state.now += 1000
    }
    expect(fetch).toHaveBeenCalledTimes(3)
    state.error = undefined
    expect((await source.get()).id).toBe(4)
    expect(source.isIdle()).toBe(true)
  })

  it('I19 waits no hour after the clock was set back by one', async () => {
    const { state, source, fetch } = setUp()
    state.error = new Error('down')
    await expect(source.get()).rejects.toThrow()
    state.now -= HOUR
    expect(source.cooldownMs()).toBe(0)
    await expect(source.get()).rejects.toThrow()
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  it('I19 serves nothing old after the clock went forward', async () => {
    const { state, source } = setUp()
    await source.get()
    state.now += 2 * HOUR
    expect((await source.get()).id).toBe(2)
  })

  it('refreshes after half of a short life, and not in a loop', async () => {
    const { state, source, fetch } = setUp(4000)
    await source.get()
    state.now += 1999
    expect((await source.get()).id).toBe(1)
    state.now += 1
    expect((await source.get()).id).toBe(2)
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  it('leaves a credential alone that gives what it has, again', async () => {
    const { state, source, fetch } = setUp()
    const expiresAt = state.now + HOUR
    fetch.mockImplementation(async () => ({ id: 9, expiresAt, refreshAfter: state.now - 1 }))
    await source.get()
    state.now += 29_999
    await source.get()
    expect(fetch).toHaveBeenCalledTimes(1)
    state.now += 1
    await source.get()
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  it('I16 refuses what is expired when it comes, or never ends', async () => {
    for (const lifetime of [0, -1, 999, Number.NaN]) {
      const { source } = setUp(lifetime)
      await expect(source.get()).rejects.toThrow('expired')
    }
  })

  it('gives up on upstream in time, and when the server closes', async () => {
    const slow = setUp()
    const signals: AbortSignal[] = []
    slow.fetch.mockImplementation((signal) => {
      signals.push(signal)
      return new Promise(() => {})
    })
    await expect(slow.source.get()).rejects.toThrow('no answer in time')
    expect(signals[0]!.aborted).toBe(true)

    const open = setUp()
    open.fetch.mockImplementation(() => new Promise(() => {}))
    const waiting = open.source.get()
    open.closing.abort()
    await expect(waiting).rejects.toThrow('the server closes')
    await expect(setUpClosed().source.get()).rejects.toThrow('the server closes')
  })
})

function setUpClosed() {
  const it0 = setUp()
  it0.closing.abort()
  return it0
}
