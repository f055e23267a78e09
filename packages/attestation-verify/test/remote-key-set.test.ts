import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { createTestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createRemoteKeySet, type KeySetAlarm, type RemoteKeySetInit } from '../src/index.ts'
import { KEYS_UNAVAILABLE, makeKey, type TestKey } from './helpers.ts'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

let server: Server
let ca: string
let otherCa: string
let url: string
let first: TestKey
let second: TestKey
let answer: Answer
let requests: IncomingMessage[]
let alarms: KeySetAlarm[]
let now: number

beforeAll(async () => {
  const pki = await createTestPki()
  const { certPem, keyPem } = await pki.issue({ commonName: 'localhost', dns: ['localhost'] })
  ca = pki.caPem
  otherCa = (await createTestPki()).caPem
  first = makeKey('first')
  second = makeKey('second')
  server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
    requests.push(request)
    answer(response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `https://localhost:${(server.address() as AddressInfo).port}/jwks`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  requests = []
  alarms = []
  now = Date.parse('2026-11-22T12:00:00Z')
  answer = publish(first)
})
afterEach(() => server.closeAllConnections())

const jwksOf = (...keys: TestKey[]): string => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
const fifty = (): TestKey[] =>
  Array.from({ length: 50 }, (_, index) => ({ ...first, jwk: { ...first.jwk, kid: `first-${index}` } }))
const publish =
  (...keys: TestKey[]): Answer =>
  (response) =>
    response.end(jwksOf(...keys))
const send =
  (body: string | Buffer, headers: Record<string, string> = {}, status = 200): Answer =>
  (response) =>
    response.writeHead(status, headers).end(body)
const fail: Answer = (response) => response.writeHead(500).end('a canary')

const open = (init: Partial<RemoteKeySetInit> = {}) =>
  createRemoteKeySet({ url, ca, clock: () => now, onAlarm: (event) => alarms.push(event), ...init })
const advance = (seconds: number): void => {
  now += seconds * 1000
}

describe('createRemoteKeySet', () => {
  it('Y01 fetches when the first token comes, and again when a new key appears', async () => {
    const keys = open()
    expect((await keys.getKey('first'))?.kid).toBe('first')
    await keys.getKey('first')
    expect(requests).toHaveLength(1)
    answer = publish(first, second)
    advance(31)
    expect((await keys.getKey('second'))?.kid).toBe('second')
    expect(requests).toHaveLength(2)
    expect(requests[0]?.headers).toMatchObject({ accept: 'application/json', 'accept-encoding': 'identity' })
  })

  it('Y02 forgets a key within 10 minutes of its removal', async () => {
    const keys = open()
    answer = publish(first, second)
    expect(await keys.getKey('second')).toBeDefined()
    answer = publish(first)
    advance(601)
    expect(await keys.getKey('second')).toBeUndefined()
    expect(await keys.getKey('first')).toBeDefined()
  })

  it('Y03 knows all published keys', async () => {
    answer = publish(first, second)
    const keys = open()
    expect(await Promise.all([keys.getKey('first'), keys.getKey('second')])).toEqual([
      expect.objectContaining({ kid: 'first', alg: 'RS256' }),
      expect.objectContaining({ kid: 'second' }),
    ])
  })

  it('Y04 asks once in 30 s for keys that nobody has', async () => {
    const keys = open()
    await keys.getKey('first')
    advance(31)
    await Promise.all(Array.from({ length: 200 }, (_, index) => keys.getKey(`random-${index}`)))
    for (let second = 0; second < 29; second += 1) {
      advance(1)
      expect(await keys.getKey(`later-${second}`)).toBeUndefined()
    }
    expect(requests).toHaveLength(2)
    advance(1)
    await keys.getKey('one-more')
    expect(requests).toHaveLength(3)
  })

  it('Y05 is not ready while the issuer is down at the start, and recovers by itself', async () => {
    answer = fail
    const keys = open()
    expect(keys.ready()).toBe(false)
    await expect(keys.getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
    await expect(keys.getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
    expect(requests).toHaveLength(1)
    expect(alarms).toEqual(['refresh_failed'])
    answer = publish(first)
    advance(1)
    expect(keys.ready()).toBe(false) // and starts a fetch
    expect(await keys.getKey('first')).toBeDefined()
    expect(keys.ready()).toBe(true)
    expect(requests).toHaveLength(2)
  })

  it('Y06 Y18 serves the last good set for a day of outage, with alarms, and no longer; then recovers', async () => {
    const keys = open()
    await keys.getKey('first')
    answer = fail
    advance(3600)
    expect(await keys.getKey('first')).toBeDefined()
    expect(await keys.getKey('first')).toBeDefined()
    expect(requests).toHaveLength(2) // the second one within the cooldown asks nobody
    expect(alarms).toEqual(['refresh_failed'])
    expect(keys.ready()).toBe(true)
    advance(86_400 - 3600)
    await expect(keys.getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
    expect(alarms).toEqual(['refresh_failed', 'refresh_failed', 'keys_expired'])
    expect(keys.ready()).toBe(false)
    answer = publish(first)
    advance(31)
    expect(await keys.getKey('first')).toBeDefined()
    expect(keys.ready()).toBe(true)
  })

  it.each<[string, Answer]>([
    ['HTML', send('<html></html>')],
    ['an empty object', send('{}')],
    ['keys: null', send('{"keys":null}')],
    ['keys: {}', send('{"keys":{}}')],
    ['no keys', send('{"keys":[]}')],
    ['an array', send('[]')],
    ['nothing', send('')],
    ['204', send('', {}, 204)],
    ['304', send('', {}, 304)],
    ['404 with keys', (response) => response.writeHead(404).end(jwksOf(second))],
    ['a key twice', (response) => response.end(jwksOf(second, second))],
    ['duplicate JSON keys', (response) => response.end(jwksOf(second).replace('{', '{"keys":[],'))],
    ['weak keys alone', (response) => response.end(jwksOf(makeKey('second', 1024)))],
    ['Y08 too many octets', (response) => response.end(jwksOf(second) + ' '.repeat(256 * 1024))],
    ['Y08 too many keys', (response) => response.end(jwksOf(second, ...fifty()))],
    ['Y08 a content coding', (response) => response.writeHead(200, { 'content-encoding': 'br' }).end(jwksOf(second))],
    ['Y08 gzip', (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(jwksOf(second)))],
    [
      'Y09 a reset in the middle',
      (response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"keys":')
        setImmediate(() => response.destroy())
      },
    ],
    [
      'another protocol',
      (response) =>
        response.socket?.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ],
    ['Y13 a redirect', (response) => response.writeHead(302, { location: url }).end()],
  ])('Y07 keeps the old set and raises an alarm for %s', async (_, bad) => {
    const keys = open()
    await keys.getKey('first')
    answer = bad
    advance(601)
    expect(await keys.getKey('second')).toBeUndefined()
    expect(await keys.getKey('first')).toBeDefined()
    expect(alarms).toEqual(['refresh_failed'])
    expect(requests).toHaveLength(2)
  })

  it('Y08 stops reading an endless body', async () => {
    const body = Buffer.alloc(65_536, 0x20)
    answer = (response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(body));
        if (!response.destroyed) response.once('drain', write)
      }
      write()
    }
    // With no deadline to speak of, only the cap can end this.
    await expect(open({ timeoutMs: 600_000 }).getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
  })

  it('Y09 Y16 gives up at the deadline; what comes later changes nothing', async () => {
    const keys = open({ timeoutMs: 100 })
    let late: ServerResponse | undefined
    answer = (response) => {
      late = response
      response.write(' ')
    }
    await expect(keys.getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
    late?.end(jwksOf(second))
    answer = publish(first)
    advance(31)
    expect(await keys.getKey('first')).toBeDefined()
    expect(await keys.getKey('second')).toBeUndefined()
  })

  it('Y12 leaves out keys that are not for verifying RSA signatures', async () => {
    const variant = (kid: string, change: object): object => ({ ...second.jwk, kid, ...change })
    const bad = [
      variant('enc', { use: 'enc' }),
      variant('ops', { key_ops: ['encrypt'] }),
      variant('rs512', { alg: 'RS512' }),
      variant('none', { alg: 'none' }),
      variant('hs256', { alg: 'HS256' }),
      variant('', {}),
      variant('k'.repeat(129), {}),
      variant('e-even', { e: Buffer.from([1, 0, 2]).toString('base64url') }),
      variant('e-three', { e: 'Aw' }),
      variant('oct', { kty: 'oct', k: 'AAAA' }),
      variant('no-n', { n: undefined }),
      { ...makeKey('weak', 1024).jwk },
      null,
      'text',
    ]
    const good = [variant('no-alg', { alg: undefined }), variant('verify', { key_ops: ['verify'], use: undefined })]
    answer = send(JSON.stringify({ keys: [...bad, ...good] }))
    const keys = open()
    for (const kid of ['enc', 'ops', 'rs512', 'none', 'hs256', '', 'e-even', 'e-three', 'oct', 'no-n', 'weak']) {
      expect(await keys.getKey(kid)).toBeUndefined()
    }
    expect(await keys.getKey('no-alg')).toMatchObject({ alg: undefined })
    expect(await keys.getKey('verify')).toMatchObject({ alg: 'RS256' })
  })

  it('leaves out keys so large that verifying with them would take long', async () => {
    const n = Buffer.alloc(1_040, 0xff).toString('base64url')
    answer = send(JSON.stringify({ keys: [{ ...second.jwk, kid: 'huge', n }, second.jwk] }))
    const keys = open()
    expect(await keys.getKey('second')).toBeDefined()
    expect(await keys.getKey('huge')).toBeUndefined()
  })

  it('T17 Y13 refuses a certificate that it does not trust, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      await expect(open({ ca: otherCa }).getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      warning.mockRestore()
    }
  })

  it('Y13 refuses a certificate of another authority, and one for another name', async () => {
    const address = url.replace('localhost', '127.0.0.1')
    for (const init of [{ ca: otherCa }, { url: address }]) {
      await expect(open(init).getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
    }
    expect(requests).toHaveLength(0)
  })

  it.each<[string, Record<string, string>, number]>([
    ['nothing', {}, 600],
    ['no-store', { 'cache-control': 'no-store' }, 600],
    ['garbage', { 'cache-control': 'max-age=garbage' }, 600],
    ['0', { 'cache-control': 'public, max-age=0' }, 300],
    ['1200', { 'cache-control': 'public, max-age=1200, must-revalidate' }, 1200],
    ['1200 less an age', { 'cache-control': 'max-age=1200', age: '500' }, 700],
    ['less than its age', { 'cache-control': 'max-age=1200', age: '5000' }, 300],
    ['10 years', { 'cache-control': 'max-age=315360000' }, 3600],
    ['more than a number', { 'cache-control': `max-age=${'9'.repeat(400)}` }, 3600],
  ])('Y14 keeps a set with max-age %s for its bounded time', async (_, headers, seconds) => {
    answer = send(jwksOf(first), headers)
    const keys = open()
    await keys.getKey('first')
    advance(seconds - 1)
    await keys.getKey('first')
    expect(requests).toHaveLength(1)
    advance(1)
    await keys.getKey('first')
    expect(requests).toHaveLength(2)
  })

  it.each(['http://localhost/jwks', 'file:///etc/jwks.json', 'https://user:pass@localhost/jwks', 'jwks', ''])(
    'Y15 refuses the URL %j',
    (bad) => {
      expect(() => createRemoteKeySet({ url: bad })).toThrow(TypeError)
    },
  )

  it('refuses numbers that are not positive', () => {
    for (const name of ['minRefreshSeconds', 'maxStaleSeconds', 'timeoutMs']) {
      for (const value of [0, -1, Number.NaN]) expect(() => open({ [name]: value })).toThrow(RangeError)
    }
  })

  it('shares one fetch among all who wait; an abort ends the waiting of one', async () => {
    let held: ServerResponse | undefined
    const asked = new Promise<void>((resolve) => {
      answer = (response) => {
        held = response
        resolve()
      }
    })
    const keys = open()
    const controller = new AbortController()
    const patient = keys.getKey('first')
    const hasty = keys.getKey('first', { signal: controller.signal })
    const third = keys.getKey('first', { signal: new AbortController().signal })
    await asked
    controller.abort(new Error('enough'))
    await expect(hasty).rejects.toThrow('enough')
    held?.end(jwksOf(first))
    expect(await patient).toBeDefined()
    expect(await third).toBeDefined()
    expect(requests).toHaveLength(1)
  })

  it('K13 trusts no set from the future, after the clock was set back', async () => {
    const keys = open()
    await keys.getKey('first')
    advance(-600)
    answer = fail
    await expect(keys.getKey('first')).rejects.toEqual(KEYS_UNAVAILABLE)
    answer = publish(first)
    advance(31)
    expect(await keys.getKey('first')).toBeDefined()
  })

  it('keeps the body of a bad answer out of its error', async () => {
    answer = fail
    const error = await open()
      .getKey('first')
      .catch((thrown: Error) => thrown)
    expect(String(error) + String((error as Error).cause)).not.toContain('canary')
  })
})
