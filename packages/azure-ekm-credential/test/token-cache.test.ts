import { BrokerClientError } from '@hardbound/ekm-tls/client'
import { describe, expect, it } from '@jest/globals'
import { asCredentialError } from '../src/internal/as-credential-error.ts'
import { createTokenCache } from '../src/internal/token-cache.ts'
import type { TokenRequest } from '../src/internal/token-request.ts'
import { MANAGEMENT, rejection, SCOPE, TENANT } from './harness.ts'

const want: TokenRequest = { scope: SCOPE, tenantId: undefined }
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** A cache at time 0 whose tokens `t1`, `t2` … live as long as `lifeMs` says. */
function setUp(o: { lifeMs?: number; refreshBeforeMs?: number; random?: () => number } = {}) {
  const it = {
    now: 0,
    lifeMs: o.lifeMs ?? 3_600_000,
    fetched: [] as TokenRequest[],
    /** In place of the next fetches. */
    fail: undefined as unknown,
  }
  const get = createTokenCache({
    fetch: async (asked) => {
      it.fetched.push(asked)
      await settled()
      if (it.fail !== undefined) throw it.fail
      return { token: `t${it.fetched.length}`, expiresOnTimestamp: it.now + it.lifeMs }
    },
    refreshBeforeMs: o.refreshBeforeMs ?? 300_000,
    clock: () => it.now,
    random: o.random ?? (() => 0),
  })
  /** The token's name and the number of fetches, after background work is done. */
  const at = async (now: number, asked = want) => {
    it.now = now
    const { token } = await get(asked, {})
    await settled()
    await settled()
    return [token, it.fetched.length]
  }
  return Object.assign(it, { get: (asked = want) => get(asked, {}), at })
}

describe('createTokenCache', () => {
  it('keeps a token per scope and tenant', async () => {
    const cache = setUp()
    const wants = [want, { ...want, scope: MANAGEMENT }, { ...want, tenantId: TENANT }]
    for (const it of [...wants, ...wants]) await cache.get(it)
    expect(cache.fetched).toEqual(wants)
  })

  it('says when it ends and when it will be replaced', async () => {
    expect(await setUp().get()).toEqual({
      token: 't1',
      expiresOnTimestamp: 3_600_000,
      refreshAfterTimestamp: 3_300_000,
      tokenType: 'Bearer',
    })
  })

  it('gives each caller an object of its own', async () => {
    const cache = setUp()
    for (let i = 0; i < 2; i++) Object.assign(await cache.get(), { token: 'changed' })
    expect(await cache.get()).toMatchObject({ token: 't1' })
  })

  it('replaces a token in its last five minutes, while callers still get the old one', async () => {
    const cache = setUp()
    expect(await cache.at(0)).toEqual(['t1', 1])
    expect(await cache.at(3_299_999)).toEqual(['t1', 1])
    expect(await cache.at(3_300_000)).toEqual(['t1', 2])
    expect(await cache.at(3_300_001)).toEqual(['t2', 2])
  })

  it.each([
    [60_000, 30_000],
    [2_000, 1_000],
  ])('replaces a token of %d ms after %d: half of its life', async (lifeMs, half) => {
    const cache = setUp({ lifeMs })
    expect(await cache.at(0)).toEqual(['t1', 1])
    expect(await cache.at(half - 1)).toEqual(['t1', 1])
    const [, fetched] = await cache.at(half)
    expect(fetched).toBe(2)
    expect(await cache.at(half + 1)).toEqual(['t2', 2])
  })

  it('spreads refreshes: up to a fifth of the window later, never sooner', async () => {
    const at = async (random: number) => (await setUp({ random: () => random }).get()).refreshAfterTimestamp
    expect(await Promise.all([at(0), at(0.5), at(1 - Number.EPSILON)])).toEqual([3_300_000, 3_330_000, 3_360_000])
  })

  it('C13 answers from memory for longer than Azure’s clients ask without waiting: until 1 s before the end', async () => {
    const cache = setUp({ lifeMs: 60_000 })
    await cache.at(0)
    cache.fail = new Error('down')
    for (const now of [30_000, 58_999, 59_499]) expect((await cache.at(now))[0]).toBe('t1')
  })

  it('never gives out a token in its last half second, nor an expired one', async () => {
    const cache = setUp({ lifeMs: 60_000 })
    await cache.at(0)
    expect(await cache.at(59_500)).toEqual(['t2', 2])
    cache.fail = new Error('down')
    cache.now = 59_500 + 60_001
    expect(await rejection(cache.get())).toBe(cache.fail)
  })

  it('hands a token that is over at once to those who waited, and keeps it from others', async () => {
    const cache = setUp({ lifeMs: 500 })
    expect(await cache.at(0)).toEqual(['t1', 1])
    expect(await cache.at(1)).toEqual(['t2', 2])
  })

  it('C16 has 500 callers at once share one fetch, a failure too, which is forgotten', async () => {
    const cache = setUp()
    cache.fail = new Error('down')
    const all = await Promise.allSettled(Array.from({ length: 500 }, () => cache.get()))
    expect([all.every((it) => it.status === 'rejected'), cache.fetched.length]).toEqual([true, 1])
    cache.fail = undefined
    const tokens = await Promise.all(Array.from({ length: 500 }, () => cache.get()))
    expect([new Set(tokens.map((it) => it.token)).size, cache.fetched.length]).toEqual([1, 2])
  })

  it('C16 starts one refresh for callers that come at the same time', async () => {
    const cache = setUp()
    await cache.at(0)
    cache.now = 3_400_000
    await Promise.all(Array.from({ length: 500 }, () => cache.get()))
    expect(cache.fetched.length).toBe(2)
  })

  it('I19 goes on with a valid token when a refresh fails, and pauses before the next', async () => {
    const cache = setUp()
    await cache.at(0)
    cache.fail = new Error('down')
    expect(await cache.at(3_300_000)).toEqual(['t1', 2])
    expect(await cache.at(3_329_999)).toEqual(['t1', 2])
    expect(await cache.at(3_330_000)).toEqual(['t1', 3])
    cache.fail = undefined
    expect(await cache.at(3_357_000)).toEqual(['t1', 4])
    expect(await cache.at(3_357_001)).toEqual(['t4', 4])
  })

  it('pauses for a second at least, and no longer than the token holds', async () => {
    const cache = setUp({ lifeMs: 8_000 })
    await cache.at(0)
    cache.fail = new Error('down')
    expect(await cache.at(4_000)).toEqual(['t1', 2])
    expect(await cache.at(4_999)).toEqual(['t1', 2])
    expect(await cache.at(5_000)).toEqual(['t1', 3])
    cache.fail = undefined
    expect(await cache.at(7_500)).toEqual(['t4', 4])
  })

  it('U15 pauses for as long as an overloaded broker asks', async () => {
    const cache = setUp()
    await cache.at(0)
    const refusal = { status: 503, code: 'overloaded', requestId: 'r', retryAfterSeconds: 120 }
    const cause = new BrokerClientError('ERR_BROKER_REFUSED', 'no', { refusal })
    cache.fail = asCredentialError(cause, { broker: 'https://broker.example.com', scope: SCOPE })
    expect(await cache.at(3_300_000)).toEqual(['t1', 2])
    expect(await cache.at(3_419_999)).toEqual(['t1', 2])
    expect(await cache.at(3_420_000)).toEqual(['t1', 3])
  })

  it('C16 keeps the new work when the old one, which nobody wanted any more, ends late', async () => {
    const finish: ((token: string) => void)[] = []
    const get = createTokenCache({
      fetch: async () => {
        const token = await new Promise<string>((resolve) => finish.push(resolve))
        return { token, expiresOnTimestamp: 0 } // over at once: nothing to keep
      },
      refreshBeforeMs: 300_000,
      clock: () => 0,
      random: () => 0,
    })
    const controller = new AbortController()
    const left = rejection(get(want, { abortSignal: controller.signal }))
    controller.abort()
    await left
    const second = get(want, {})
    finish[0]!('old')
    await settled()
    const third = get(want, {})
    expect(finish).toHaveLength(2)
    finish[1]!('new')
    expect((await Promise.all([second, third])).map((it) => it.token)).toEqual(['new', 'new'])
  })

  it('joins a refresh that is under way when the token ends', async () => {
    const cache = setUp()
    await cache.at(0)
    cache.now = 3_400_000
    expect(await cache.get()).toMatchObject({ token: 't1' })
    cache.now = 3_600_000
    expect(await cache.get()).toMatchObject({ token: 't2' })
    expect(cache.fetched.length).toBe(2)
  })

  it('I19 follows a clock that jumps ahead', async () => {
    const cache = setUp()
    await cache.at(0)
    expect(await cache.at(3_600_000)).toEqual(['t2', 2])
  })

  it('holds a hundred tokens and no more: the one not used for longest goes', async () => {
    const cache = setUp()
    const of = (i: number): TokenRequest => ({ scope: `https://${i}.example.com/.default`, tenantId: undefined })
    for (let i = 0; i < 100; i++) await cache.get(of(i))
    await cache.get(of(0))
    await cache.get(of(100))
    expect(cache.fetched.length).toBe(101)
    await cache.get(of(0))
    expect(cache.fetched.length).toBe(101)
    await cache.get(of(1))
    expect(cache.fetched.length).toBe(102)
  })
})
