import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { AwsKeys } from '../src/credentials-file/keys.ts'
import { refreshInMs, retryInMs } from '../src/credentials-file/schedule.ts'
import {
  type StartUpdatingInit,
  startUpdating,
  type Updater,
  type UpdaterEvent,
} from '../src/credentials-file/start-updating.ts'
import { waitUntil } from '../src/credentials-file/wait-until.ts'
import { codeOf, numbered, scratch } from './file-helpers.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('refreshInMs', () => {
  it.each([
    { left: HOUR, random: 0, after: 55 * MINUTE },
    { left: HOUR, random: 0.5, after: 54.5 * MINUTE },
    { left: 15 * MINUTE, random: 1, after: 9 * MINUTE },
    { left: 8 * MINUTE, random: 0, after: 4 * MINUTE },
    { left: 40_000, random: 0, after: 30_000 },
    { left: 1, random: 0, after: 30_000 },
  ])('F17: $left ms left, random $random: after $after ms', ({ left, random, after }) => {
    expect(refreshInMs(1_000_000 + left, 1_000_000, random)).toBe(after)
  })

  it('asks again for keys that never end, in a quarter of an hour', () => {
    expect(refreshInMs(undefined, 0, 0)).toBe(15 * MINUTE)
  })
})

describe('retryInMs', () => {
  it('F17: waits longer each time, five minutes at most', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1e9].map((n) => retryInMs(n, 0) / 1000)).toEqual([
      5, 10, 20, 40, 80, 160, 250, 250, 250,
    ])
    expect(retryInMs(1, 1)).toBe(6000)
    expect(retryInMs(100, 1)).toBe(5 * MINUTE)
  })
})

describe('waitUntil', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] })
  })
  afterEach(() => {
    jest.useRealTimers()
  })
  const start = (ms: number, clock: () => number, signal = new AbortController().signal): { over: boolean } => {
    const state = { over: false }
    void waitUntil(clock() + ms, clock, signal).then(() => (state.over = true))
    return state
  }

  it('F17, R17: goes on within a minute after the machine slept', async () => {
    let slept = 0
    const state = start(HOUR, () => Date.now() + slept)
    await jest.advanceTimersByTimeAsync(10_000)
    slept = 2 * HOUR
    await jest.advanceTimersByTimeAsync(MINUTE - 10_001)
    expect(state.over).toBe(false)
    await jest.advanceTimersByTimeAsync(1)
    expect(state.over).toBe(true)
  })

  it('F17: is not delayed by a clock that is set back', async () => {
    let back = 0
    const state = start(HOUR, () => Date.now() - back)
    back = 24 * HOUR
    await jest.advanceTimersByTimeAsync(HOUR - 1)
    expect(state.over).toBe(false)
    await jest.advanceTimersByTimeAsync(1)
    expect(state.over).toBe(true)
  })

  it('ends at once when it is told to, and leaves no timer', async () => {
    const controller = new AbortController()
    const state = start(HOUR, Date.now, controller.signal)
    controller.abort()
    await jest.advanceTimersByTimeAsync(0)
    expect(state.over).toBe(true)
    expect(jest.getTimerCount()).toBe(0)
    expect(start(HOUR, Date.now, controller.signal)).toBeDefined()
    expect(jest.getTimerCount()).toBe(0)
  })
})

describe('startUpdating', () => {
  let folder: string
  let file: string
  let remove: () => Promise<void>
  let updaters: Updater[]
  beforeEach(async () => {
    ;({ folder, remove } = await scratch())
    file = join(folder, 'credentials')
    updaters = []
  })
  afterEach(async () => {
    await Promise.all(updaters.map((it) => it.stop()))
    await remove()
  })

  /** Starts one whose events can be waited for. The clock jumps to `nextAt` when `jump` is called. */
  const start = (init: Partial<StartUpdatingInit> & Pick<StartUpdatingInit, 'provider'>) => {
    const events: UpdaterEvent[] = []
    let wake = (): void => {}
    const updater = startUpdating({
      file,
      profile: 'p',
      random: () => 0,
      onEvent: (event) => {
        events.push(event)
        wake()
        throw new Error('a log that fails')
      },
      ...init,
    })
    updaters.push(updater)
    const event = async (n: number): Promise<UpdaterEvent> => {
      while (events.length <= n) await new Promise<void>((resolve) => (wake = resolve))
      return events[n]!
    }
    return { updater, events, event }
  }

  it('writes once, and is done', async () => {
    const expiration = new Date('2022-07-27T04:36:55Z') // over: that is the caller's business
    const { updater, events } = start({ once: true, provider: async () => numbered(1, expiration) })
    await updater.done
    expect(events).toEqual([{ type: 'updated', file, profile: 'p', expiration }])
    expect(await readFile(file, 'utf8')).toContain('token-1')
  })

  it('once: rejects with the provider’s own error, or the file’s', async () => {
    const own = Object.assign(new Error('no session'), { code: 'ERR_RA_REFUSED' })
    const { updater, events } = start({ once: true, provider: () => Promise.reject(own) })
    await expect(updater.done).rejects.toBe(own)
    expect(events).toEqual([{ type: 'failed', file, profile: 'p', stage: 'provider', code: 'ERR_RA_REFUSED' }])
    await writeFile(file, '', { mode: 0o600 })
    await chmod(file, 0o666)
    const second = start({ once: true, provider: async () => numbered(1) })
    expect(await codeOf(second.updater.done)).toBe('ERR_CREDENTIALS_FILE_UNSAFE')
    expect(second.events).toEqual([
      { type: 'failed', file, profile: 'p', stage: 'file', code: 'ERR_CREDENTIALS_FILE_UNSAFE' },
    ])
  })

  it('F17: refreshes before the end, keeps the last keys while the provider fails, and lives', async () => {
    const START = Date.UTC(2026, 10, 22)
    let now = START
    const answers: (() => AwsKeys)[] = [
      () => numbered(1, new Date(now + HOUR)),
      () => {
        throw new Error('down: secret-canary')
      },
      () => numbered(2, new Date(now)),
      () => numbered(3, new Date(Number.NaN)),
      () => ({ ...numbered(4), secretAccessKey: 'two\nlines' }),
      () => undefined as never,
      () => numbered(5, new Date(now + 2 * HOUR)),
    ]
    const events: UpdaterEvent[] = []
    const files: string[] = []
    let calls = 0
    const updater = startUpdating({
      file,
      profile: 'p',
      random: () => 0,
      provider: async () => {
        if (calls > 0) files.push(await readFile(file, 'utf8'))
        const answer = answers[calls++]
        return answer === undefined ? await new Promise<never>(() => {}) : answer()
      },
      clock: () => {
        const last = events.at(-1)?.nextAt?.getTime() ?? now
        now = Math.max(now, last) // as if it had slept until then
        return now
      },
      onEvent: (event) => events.push(event),
    })
    updaters.push(updater)
    while (calls <= answers.length) await new Promise((resolve) => setImmediate(resolve))
    await updater.stop()
    expect(events.map(({ type, stage, code }) => [type, stage, code])).toEqual([
      ['updated', undefined, undefined],
      ['failed', 'provider', undefined],
      ['failed', 'provider', 'ERR_CREDENTIALS_FILE_CREDENTIALS'],
      ['failed', 'provider', 'ERR_CREDENTIALS_FILE_CREDENTIALS'],
      ['failed', 'provider', 'ERR_CREDENTIALS_FILE_CREDENTIALS'],
      ['failed', 'provider', 'ERR_CREDENTIALS_FILE_CREDENTIALS'],
      ['updated', undefined, undefined],
    ])
    const times = events.map(({ nextAt }) => nextAt!.getTime())
    expect(times.map((time, index) => (time - (times[index - 1] ?? START)) / 1000)).toEqual([
      3300, 5, 10, 20, 40, 80, 6900,
    ])
    expect(files.slice(0, 6).every((text) => text.includes('token-1'))).toBe(true)
    expect(files[6]).toContain('token-5')
    expect(JSON.stringify(events)).not.toMatch(/canary|secret|token-/)
  })

  it('stops at once, while the provider is under way or the next one is waited for', async () => {
    const pending = start({ provider: () => new Promise(() => {}) })
    await pending.updater.stop()
    await pending.updater.done
    expect(pending.events).toEqual([])
    const controller = new AbortController()
    const waiting = start({ provider: async () => numbered(1, new Date(Date.now() + HOUR)), signal: controller.signal })
    expect(await waiting.event(0)).toMatchObject({ type: 'updated' })
    controller.abort()
    await waiting.updater.done
    const never = jest.fn(async () => numbered(1))
    await start({ provider: never, signal: controller.signal }).updater.done
    expect(never).not.toHaveBeenCalled()
  })

  it('gives up on a provider that does not answer', async () => {
    const { event } = start({ provider: () => new Promise(() => {}), providerTimeoutMs: 100 })
    expect(await event(0)).toMatchObject({ type: 'failed', stage: 'provider', nextAt: expect.any(Date) })
  })

  it('refuses wrong options at once', () => {
    const provider = async (): Promise<AwsKeys> => numbered(1)
    for (const over of [{ file: '' }, { profile: 'a]' }, { provider: undefined as never }]) {
      expect(() => startUpdating({ file, profile: 'p', provider, ...over })).toThrow(TypeError)
    }
    for (const over of [{ lockTimeoutMs: Number.NaN }, { providerTimeoutMs: 99 }]) {
      expect(() => startUpdating({ file, profile: 'p', provider, ...over })).toThrow(RangeError)
    }
  })
})
