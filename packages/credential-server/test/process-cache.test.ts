import { once } from 'node:events'
import * as promises from 'node:fs/promises'
import {
  chmod,
  chown,
  link,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { type CacheKey, cacheName } from '../src/cache/cache-name.ts'
import { processCacheOn } from '../src/cache/process-cache-on.ts'
import type { AwsKeys } from '../src/credentials-file/keys.ts'
import { type ProcessCacheEvent, processCache } from '../src/process-cache.ts'
import {
  codeOf,
  compileSources,
  faultyFs,
  numbered,
  outcome,
  scratch,
  startChild,
  systemError,
} from './file-helpers.ts'

const HOUR = 3_600_000
const MINUTE = 60_000
const START = Date.UTC(2026, 10, 22)
const KEY = { role: 'arn:aws:iam::111122223333:role/reader', duration: 3600 }
const FILE = cacheName(KEY)

let folder: string
let directory: string
let remove: () => Promise<void>
let now: number
let events: ProcessCacheEvent[]
beforeEach(async () => {
  ;({ folder, remove } = await scratch())
  directory = join(folder, 'cache')
  now = START
  events = []
})
afterEach(() => remove())

/** Sets that are numbered and live for so long. */
const issuer = (lifeMs = HOUR) => {
  let n = 0
  return jest.fn(async (): Promise<AwsKeys> => numbered(++n, new Date(now + lifeMs)))
}
const cache = (over = {}, fs = promises as Parameters<typeof processCacheOn>[0]) =>
  processCacheOn(fs, {
    directory,
    clock: () => now,
    random: () => 0,
    lockTimeoutMs: 50,
    onEvent: (event) => events.push(event),
    ...over,
  })

describe('cacheName', () => {
  it('does not depend on the order of members, or on those that are undefined', () => {
    expect(cacheName({ b: 1, a: ['x', null, true], c: undefined })).toBe(cacheName({ a: ['x', null, true], b: 1 }))
    expect(FILE).toMatch(/^[0-9a-f]{64}\.json$/)
  })

  it('differs for all that differs', () => {
    const keys: CacheKey[] = [
      1,
      '1',
      null,
      true,
      [],
      {},
      [[]],
      [1, 2],
      [12],
      ['1,2'],
      { a: 1 },
      { a: '1' },
      { a: { b: 1 } },
      { 'a":1,"b': 1 },
      { a: 1, b: 1 },
    ]
    expect(new Set(keys.map(cacheName)).size).toBe(keys.length)
  })

  it.each([
    [undefined],
    [Number.NaN],
    [1n],
    [new Date(0)],
    [new Map()],
    [() => 1],
    [Symbol('x')],
    [[undefined]],
    [{ a: { b: new Set() } }],
  ])('refuses %p', (key) => {
    expect(() => cacheName(key as never)).toThrow(TypeError)
  })

  it('refuses what goes round in circles', () => {
    const key: Record<string, never> = {}
    Object.assign(key, { key })
    expect(() => cacheName(key)).toThrow(TypeError)
  })
})

describe('processCache', () => {
  it('keeps a set in a file of mode 0600 in a folder of mode 0700, and gives it to the next one', async () => {
    const fetch = issuer()
    const first = await cache().through(KEY, fetch)
    expect(await cache().through({ ...KEY }, fetch)).toEqual(first)
    expect(first).toEqual(numbered(1, new Date(START + HOUR)))
    expect(fetch).toHaveBeenCalledTimes(1)
    expect(await readdir(directory)).toEqual([FILE])
    expect([(await stat(directory)).mode & 0o777, (await stat(join(directory, FILE))).mode & 0o777]).toEqual([
      0o700, 0o600,
    ])
    await cache().through({ ...KEY, duration: 900 }, fetch)
    expect(fetch).toHaveBeenCalledTimes(2)
    expect(events).toEqual([])
  })

  it.each([
    { life: HOUR, early: 15 * MINUTE },
    { life: 12 * HOUR, early: 15 * MINUTE },
    { life: 15 * MINUTE, early: 5 * MINUTE },
  ])('fetches early: $life', async ({ life, early }) => {
    const fetch = issuer(life)
    await cache().through(KEY, fetch)
    now += life - early - 1
    expect(await cache().through(KEY, fetch)).toMatchObject({ accessKeyId: 'access-1' })
    expect(await cache({ random: () => 0.99 }).through(KEY, fetch)).toMatchObject({ accessKeyId: 'access-2' })
    now += life - early
    expect(await cache().through(KEY, fetch)).toMatchObject({ accessKeyId: 'access-3' })
  })

  it('never keeps what has no end, an end that is no date, or less than five minutes', async () => {
    const sets = [
      numbered(1),
      numbered(2, new Date(Number.NaN)),
      numbered(3, new Date(START + 5 * MINUTE)),
      numbered(4, new Date(START - 1)),
    ]
    for (const keys of sets) expect(await cache().through(KEY, async () => keys)).toBe(keys)
    expect(await readdir(directory)).toEqual([])
  })

  it('serves the last set when fetching fails, to its last minute', async () => {
    await cache().through(KEY, issuer())
    const failing = async (): Promise<never> =>
      Promise.reject(Object.assign(new Error('x'), { code: 'ERR_RA_TIMEOUT' }))
    now += HOUR - MINUTE
    expect(await cache().through(KEY, failing)).toMatchObject({ accessKeyId: 'access-1' })
    expect(events).toEqual([{ type: 'fetch-failed', code: 'ERR_RA_TIMEOUT' }])
    now += 1
    expect(await codeOf(cache().through(KEY, failing))).toBe('ERR_RA_TIMEOUT')
    expect(await readdir(directory)).toEqual([FILE])
  })

  it('F17: trusts no set after the clock was set back', async () => {
    const fetch = issuer()
    await cache().through(KEY, fetch)
    now -= MINUTE
    await cache().through(KEY, fetch)
    expect(fetch).toHaveBeenCalledTimes(1)
    now -= 1
    await cache().through(KEY, fetch)
    now += 2 * HOUR
    await cache().through(KEY, fetch)
    expect(fetch).toHaveBeenCalledTimes(3)
  })

  it('takes what it did not write just so for nothing, and replaces it', async () => {
    const path = join(directory, FILE)
    const fetch = issuer()
    await cache().through(KEY, fetch)
    const good = await readFile(path, 'utf8')
    const record = JSON.parse(good) as Record<string, unknown>
    const spoil: (() => Promise<unknown>)[] = [
      () => writeFile(path, good.slice(0, -5)),
      () => writeFile(path, ''),
      () => writeFile(path, 'null'),
      () => writeFile(path, good.padEnd(70_000)),
      () => writeFile(path, JSON.stringify({ ...record, file: cacheName('other') })),
      () => writeFile(path, JSON.stringify({ ...record, secretAccessKey: 'two\nlines' })),
      () => writeFile(path, JSON.stringify({ ...record, sessionToken: 7 })),
      () => writeFile(path, JSON.stringify({ ...record, storedAt: '0' })),
      () => writeFile(path, JSON.stringify({ ...record, expiration: 'soon' })),
      () => writeFile(path, JSON.stringify({ ...record, expiration: new Date(START + 37 * HOUR) })),
      () => chmod(path, 0o644),
      () => link(path, join(folder, `second-${Math.random()}`)),
      async () => {
        await writeFile(join(folder, 'elsewhere'), good, { mode: 0o600 })
        await unlink(path)
        await symlink(join(folder, 'elsewhere'), path)
      },
    ]
    for (const [index, change] of spoil.entries()) {
      await change()
      expect(await cache().through(KEY, fetch)).toMatchObject({ accessKeyId: `access-${index + 2}` })
      expect(await cache().through(KEY, fetch)).toMatchObject({ accessKeyId: `access-${index + 2}` })
    }
    expect(await readFile(join(folder, 'elsewhere'), 'utf8')).toBe(good)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(events).toEqual([])
  })

  it('refuses a folder that is a link, a file, or open to others', async () => {
    await mkdir(join(folder, 'real'), { mode: 0o700 })
    await symlink(join(folder, 'real'), directory)
    const refusal = async (): Promise<unknown> => [
      await codeOf(cache().through(KEY, issuer())),
      await codeOf(cache().clear()),
    ]
    expect(await refusal()).toEqual(['ERR_CACHE_UNSAFE', 'ERR_CACHE_UNSAFE'])
    await unlink(directory)
    await writeFile(directory, '')
    expect(await refusal()).toEqual(['ERR_CACHE_UNSAFE', 'ERR_CACHE_UNSAFE'])
    await unlink(directory)
    for (const mode of [0o710, 0o705, 0o755, 0o1777]) {
      await mkdir(directory)
      await chmod(directory, mode)
      expect(await refusal()).toEqual(['ERR_CACHE_UNSAFE', 'ERR_CACHE_UNSAFE'])
      await promises.rmdir(directory)
    }
    expect(await readdir(join(folder, 'real'))).toEqual([])
  })

  it('no trouble with the disk keeps anybody from keys, at any call', async () => {
    const { fs, calls, closeAll } = faultyFs(() => 'go')
    await cache({}, fs).through(KEY, issuer())
    await closeAll()
    for (const errno of ['ENOSPC', 'EIO', 'EACCES']) {
      for (let n = 1; n <= calls.length; n++) {
        await promises.rm(directory, { recursive: true })
        const faulty = faultyFs((call) => (call === n && !calls[n - 1]!.endsWith('close') ? systemError(errno) : 'go'))
        expect(await cache({}, faulty.fs).through(KEY, issuer())).toMatchObject({ accessKeyId: 'access-1' })
        await faulty.closeAll()
        for (const { code } of events.splice(0)) expect([errno, undefined]).toContain(code)
        await mkdir(directory, { recursive: true, mode: 0o700 })
        for (const name of await readdir(directory)) if (name.includes('.lock.')) await unlink(join(directory, name)) // ours, alive
        expect(await cache().through(KEY, issuer())).toMatchObject({ accessKeyId: 'access-1' })
        expect(events).toEqual([])
      }
    }
  })

  it('while another one fetches: gives what is good still, else waits, else fetches as well', async () => {
    await cache().through(KEY, issuer())
    let finish = (_: AwsKeys): void => {}
    let begun = (): void => {}
    const hasBegun = new Promise<void>((resolve) => (begun = resolve))
    const slow = cache().through(KEY, () => {
      begun()
      return new Promise((resolve) => (finish = resolve))
    })
    const fetch = issuer()
    expect(await cache().through(KEY, fetch)).toMatchObject({ accessKeyId: 'access-1' })
    now += 50 * MINUTE
    const early = cache().through(KEY, () => {
      begun()
      return new Promise((resolve) => (finish = resolve))
    })
    await hasBegun
    expect(await slow).toMatchObject({ accessKeyId: 'access-1' })
    expect(await cache().through(KEY, fetch)).toMatchObject({ accessKeyId: 'access-1' }) // ten minutes are left
    now += 6 * MINUTE
    expect(await cache().through(KEY, async () => numbered('own', new Date(now + 10)))).toMatchObject({
      accessKeyId: 'access-own',
    })
    const waiting = cache({ lockTimeoutMs: 20_000 }).through(KEY, fetch)
    finish(numbered('slow', new Date(now + HOUR)))
    expect(await waiting).toMatchObject({ accessKeyId: 'access-slow' })
    expect(await early).toMatchObject({ accessKeyId: 'access-slow' })
    expect(fetch).not.toHaveBeenCalled()
  })

  it('F18: fifty processes at once make one call, and all get the same set', async () => {
    const compiled = await compileSources(folder)
    const counter = join(folder, 'counter')
    const runs = Array.from({ length: 50 }, () =>
      outcome(startChild('cached.mjs', [compiled, directory, counter, 300])),
    )
    const outputs = new Set((await Promise.all(runs)).map(({ stdout }) => stdout))
    expect(await readFile(counter, 'utf8')).toBe('x')
    expect(outputs.size).toBe(1)
    expect(await readdir(directory)).toHaveLength(1)
  }, 60_000)

  it('F05, F20: takes over from a process that was killed, and removes what it left', async () => {
    const compiled = await compileSources(folder)
    const counter = join(folder, 'counter')
    const child = startChild('cached.mjs', [compiled, directory, counter, 60_000])
    while (!(await readFile(counter, 'utf8').catch(() => ''))) await new Promise((resolve) => setTimeout(resolve, 5))
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
    const name = cacheName({ role: 'reader' })
    await writeFile(join(directory, `${name}.tmp.0123456789abcdef`), 'secret')
    expect(await readdir(directory)).toHaveLength(2)
    await cache().through({ role: 'reader' }, issuer())
    expect(await readdir(directory)).toEqual([name])
  })

  it('clears what is its own, says how many sets there were, and forgets old ones by itself', async () => {
    expect(await cache().clear()).toBe(0)
    for (const n of [1, 2, 3]) await cache().through(n, issuer())
    await writeFile(join(directory, `${FILE}.tmp.0123456789abcdef`), 'secret')
    await writeFile(join(directory, 'notes'), 'mine')
    now = Date.now()
    for (const name of await readdir(directory)) await utimes(join(directory, name), 0, now / 1000 - 37 * 3600)
    await cache().through(4, issuer())
    expect((await readdir(directory)).sort()).toEqual([cacheName(4), 'notes'].sort())
    await cache().through(5, issuer())
    expect(await cache().clear()).toBe(2)
    expect(await readdir(directory)).toEqual(['notes'])
  })

  it('checks its options, and survives a log that fails', async () => {
    expect(() => processCache({ directory: '' })).toThrow(TypeError)
    expect(() => processCache({ directory, lockTimeoutMs: -1 })).toThrow(RangeError)
    await expect(processCache({ directory }).through(undefined as never, issuer())).rejects.toThrow(TypeError)
    const { fs, closeAll } = faultyFs((_, name) => (name === 'rename' ? systemError('ENOSPC') : 'go'))
    const onEvent = jest.fn((_: ProcessCacheEvent) => {
      throw new Error('log')
    })
    expect(await cache({ onEvent }, fs).through(KEY, issuer())).toMatchObject({ accessKeyId: 'access-1' })
    await closeAll()
    expect(onEvent).toHaveBeenCalledWith({ type: 'not-stored', code: 'ENOSPC' })
    expect(
      await codeOf(cache({}, faultyFs((_, name) => (name === 'readdir' ? systemError('EIO') : 'go')).fs).clear()),
    ).toBe('ERR_CACHE_IO')
  })
})

if (process.geteuid?.() === 0)
  describe('processCache, as root', () => {
    it('refuses the folder of another user, and takes a file of another user for nothing', async () => {
      const fetch = issuer()
      await cache().through(KEY, fetch)
      await chown(join(directory, FILE), 65534, 65534)
      expect(await cache().through(KEY, fetch)).toMatchObject({ accessKeyId: 'access-2' })
      expect((await stat(join(directory, FILE))).uid).toBe(0)
      await chown(directory, 65534, 65534)
      expect(await codeOf(cache().through(KEY, fetch))).toBe('ERR_CACHE_UNSAFE')
    })
  })
