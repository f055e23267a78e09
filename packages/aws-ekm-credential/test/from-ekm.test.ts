import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { confidentialSpaceLauncher, type FromEkmInit, fromEkm } from '../src/index.ts'
import { ACCOUNT, AUDIENCE, type Harness, ROLE, rejection, startHarness } from './harness.ts'
import { type Answer, keysFor, type Seen, startScriptedBroker } from './scripted-broker.ts'

let it1: Harness
beforeAll(async () => {
  it1 = await startHarness()
})
afterAll(() => it1.close())
afterEach(() => {
  it1.launcher.fault = undefined
  it1.launcher.claims = { submods: { container: { image_digest: `sha256:${'a1'.repeat(32)}` } } }
})

/** Attested requests so far, and calls that reached AWS. */
const counts = (harness = it1) => ({ attestations: harness.launcher.requests.length, grants: harness.aws.calls.length })

describe('fromEkm: options', () => {
  const broker = { url: 'https://broker.example.com', ca: 'PEM' }
  const honest: FromEkmInit = { broker, audience: AUDIENCE, roleArn: ROLE }

  it('does no I/O before it is asked for credentials', () => {
    expect(typeof fromEkm(honest)).toBe('function')
  })

  it.each<[string, object, typeof Error]>([
    ['C15 no audience', { audience: '' }, TypeError],
    ['C15 an empty role', { roleArn: '' }, TypeError],
    ['C15 a role with a wildcard', { roleArn: `arn:aws:iam::${ACCOUNT}:role/*` }, TypeError],
    ['C15 a role that is a user', { roleArn: `arn:aws:iam::${ACCOUNT}:user/x` }, TypeError],
    ['C15 a certificate without a key', { broker: { ...broker, cert: 'PEM' } }, TypeError],
    ['C15 a key without a certificate', { broker: { ...broker, key: 'PEM' } }, TypeError],
    ['C15 no broker', { broker: undefined }, TypeError],
    ['C15 an unpinned broker', { broker: { url: broker.url } }, TypeError],
    ['C15 an unknown protocol', { protocol: 'v3' }, TypeError],
    ['C15 899 seconds', { durationSeconds: 899 }, RangeError],
    ['C15 43201 seconds', { durationSeconds: 43_201 }, RangeError],
    ['C15 half a second', { durationSeconds: 900.5 }, RangeError],
    ['C05 plaintext', { broker: { ...broker, url: 'http://broker.example.com' } }, TypeError],
    ['C05 a password in the URL', { broker: { ...broker, url: 'https://a:b@broker.example.com' } }, TypeError],
    ['C05 port 0', { broker: { ...broker, url: 'https://broker.example.com:0' } }, TypeError],
    ['C05 something that is no URL', { broker: { ...broker, url: 'broker.example.com' } }, TypeError],
    ['a time limit of nothing', { timeoutMs: 0 }, RangeError],
    ['a time limit that Node’s timers can’t keep', { timeoutMs: Number.POSITIVE_INFINITY }, RangeError],
    ['half a millisecond', { timeoutMs: 1.5 }, RangeError],
    ['a time limit that is no number', { timeoutMs: Number.NaN }, RangeError],
    ['no attempt at all', { maxAttempts: 0 }, RangeError],
  ])('refuses %s at once', (_what, other, type) => {
    expect(() => fromEkm({ ...honest, ...other } as FromEkmInit)).toThrow(type)
  })
})

describe('fromEkm: credentials', () => {
  it('brings back a session of the role, with its account and end', async () => {
    const before = Date.now()
    const keys = await fromEkm(it1.init({ durationSeconds: 900 }))()
    expect(keys).toMatchObject({ accountId: ACCOUNT, accessKeyId: expect.stringMatching(/^ASIA/) })
    expect(keys.sessionToken).toBeDefined()
    const seconds = (keys.expiration!.getTime() - before) / 1000
    expect(seconds).toBeGreaterThan(890)
    expect(seconds).toBeLessThanOrEqual(901)
    expect((await it1.records()).at(-1)).toMatchObject({ event: 'grant', protocol: 'v2', rule: 'reader' })
  })

  it('leaves the role to the policy where none is named', async () => {
    const { roleArn: _, ...init } = it1.init()
    await expect(fromEkm(init)()).resolves.toMatchObject({ accountId: ACCOUNT })
  })

  it('asks anew each time: caching is the SDK’s', async () => {
    const provider = fromEkm(it1.init())
    const [first, second] = [await provider(), await provider()]
    expect(first.accessKeyId).not.toBe(second.accessKeyId)
  })

  it('C16 has 500 callers at once share one attestation and one grant', async () => {
    const before = counts()
    const provider = fromEkm(it1.init())
    const all = await Promise.all(Array.from({ length: 500 }, () => provider()))
    expect(new Set(all.map((it) => it.accessKeyId)).size).toBe(1)
    expect(counts()).toEqual({ attestations: before.attestations + 1, grants: before.grants + 1 })
  })

  it('C16 has them share a failure too, which is forgotten', async () => {
    const provider = fromEkm(it1.init())
    it1.launcher.fault = (_req, res) => void res.writeHead(500).end('busy')
    const before = counts()
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => provider()))
    expect(all.every((it) => it.status === 'rejected')).toBe(true)
    expect(counts()).toEqual({ ...before, attestations: before.attestations + 1 })
    it1.launcher.fault = undefined
    await expect(provider()).resolves.toMatchObject({ accountId: ACCOUNT })
  })

  it('C08 leaves nothing open, refresh after refresh', async () => {
    const provider = fromEkm(it1.init())
    const refresh = async (times: number) => {
      for (let i = 0; i < times; i++) await provider()
      return settledDescriptors()
    }
    const before = await refresh(20)
    expect(await refresh(200)).toBeLessThan(before + 10)
  })

  it('C08 leaves nothing open after failures either', async () => {
    const provider = fromEkm(it1.init({ roleArn: `arn:aws:iam::${ACCOUNT}:role/other` }))
    const refuse = async (times: number) => {
      for (let i = 0; i < times; i++) await rejection(provider())
      return settledDescriptors()
    }
    const before = await refuse(5)
    expect(await refuse(50)).toBeLessThan(before + 10)
  })

  it('C09 keeps two providers apart: another authority, host and role', async () => {
    const other = await startHarness({ role: 'arn:aws:iam::444455556666:role/writer' })
    try {
      const [a, b] = [fromEkm(it1.init()), fromEkm(other.init())]
      const rounds = await Promise.all(Array.from({ length: 10 }, () => Promise.all([a(), b()])))
      for (const [first, second] of rounds) {
        expect([first.accountId, second.accountId]).toEqual([ACCOUNT, '444455556666'])
      }
      for (let i = 0; i < 5; i++) {
        expect((await a()).accountId).toBe(ACCOUNT)
        expect((await b()).accountId).toBe('444455556666')
      }
      const crossed = fromEkm(it1.init({ broker: { ...it1.broker, ca: other.broker.ca! } }))
      expect(await rejection(crossed())).toMatchObject({ code: 'ERR_EKM_BROKER_UNTRUSTED' })
    } finally {
      await other.close()
    }
  })

  it('shows its client certificate', async () => {
    const mutual = await startHarness({ clientCa: true })
    try {
      const { certPem, keyPem } = await mutual.pki.issue({ commonName: 'workload', usage: 'client' })
      const broker = { ...mutual.broker, cert: certPem, key: keyPem }
      await expect(fromEkm(mutual.init({ broker }))()).resolves.toMatchObject({ accountId: ACCOUNT })
      await rejection(fromEkm(mutual.init({ maxAttempts: 1 }))())
    } finally {
      await mutual.close()
    }
  })

  it('C18 ignores proxies that it was not told about', async () => {
    const asked: string[] = []
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.end()
    }).on('connect', (request, socket) => {
      asked.push(request.url ?? '')
      socket.destroy()
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
    const before = { ...process.env }
    try {
      for (const name of names) process.env[name] = url
      await fromEkm(it1.init())()
      expect(asked).toEqual([])
      const told = fromEkm(it1.init({ broker: { ...it1.broker, proxy: url }, maxAttempts: 1 }))
      expect(await rejection(told())).toMatchObject({ code: 'ERR_EKM_BROKER_UNREACHABLE' })
      expect(asked).toEqual([it1.broker.address])
    } finally {
      for (const name of names) delete process.env[name]
      Object.assign(process.env, before)
      await new Promise((resolve) => proxy.close(resolve))
    }
  })
})

describe('fromEkm: a launcher that fails', () => {
  it.each([
    ['C01 500', 500, 'internal error', 'ERR_EKM_ATTESTATION_FAILED'],
    ['C01 400', 400, 'bad request', 'ERR_EKM_ATTESTATION_FAILED'],
    ['C01 200 with text', 200, 'no token today', 'ERR_EKM_ATTESTATION_FAILED'],
    ['C01 200 with nothing', 200, '', 'ERR_EKM_ATTESTATION_FAILED'],
    ['C02 100 MB', 200, 'e30.'.repeat(26_214_400), 'ERR_EKM_ATTESTATION_FAILED'],
  ])('%s: nothing is sent to the broker', async (_what, status, body, code) => {
    it1.launcher.fault = (_req, res) => void res.writeHead(status).end(body)
    const before = (await it1.records()).length
    expect(await rejection(fromEkm(it1.init())())).toMatchObject({ code, tryNextLink: false })
    expect((await it1.records()).length).toBe(before)
  })

  it('C02 does not wait for a launcher that hangs', async () => {
    it1.launcher.fault = () => {}
    const attestation = confidentialSpaceLauncher({ socketPath: it1.launcher.socketPath, timeoutMs: 20 })
    expect(await rejection(fromEkm(it1.init({ attestation }))())).toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
    expect(await rejection(fromEkm(it1.init({ timeoutMs: 20 }))())).toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
  })

  it('C02 does not take half a token', async () => {
    it1.launcher.fault = (_req, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('e30.e30.', () => res.destroy())
    }
    const before = (await it1.records()).length
    await rejection(fromEkm(it1.init())())
    expect((await it1.records()).length).toBe(before)
  })

  it('says that the next provider may try where there is none', async () => {
    const attestation = confidentialSpaceLauncher({ socketPath: '/nowhere/teeserver.sock' })
    expect(await rejection(fromEkm(it1.init({ attestation }))())).toMatchObject({
      code: 'ERR_EKM_NOT_ATTESTABLE',
      tryNextLink: true,
    })
  })
})

describe('fromEkm: a broker that fails', () => {
  const ask = async (answer: (seen: Seen, index: number) => Answer | 'hang up', other?: Partial<FromEkmInit>) => {
    const scripted = await startScriptedBroker(it1.pki, answer)
    const provider = fromEkm(it1.init({ broker: scripted.broker, ...other }))
    const outcome = await provider().catch((error: unknown) => error)
    await scripted.close()
    return { outcome, seen: scripted.seen }
  }

  it('C05 does not take a certificate without the address for one with it', async () => {
    const named = await startHarness({ dnsOnly: true })
    try {
      const url = `https://${named.broker.address}`
      const error = await rejection(fromEkm(named.init({ broker: { url, ca: named.broker.ca! } }))())
      expect(error).toMatchObject({ code: 'ERR_EKM_BROKER_UNTRUSTED', tryNextLink: false })
    } finally {
      await named.close()
    }
  })

  it.each([301, 302, 307, 308])('C06 does not follow a %d', async (status) => {
    let asked = 0
    const canary = createServer((_request, response) => {
      asked++
      response.end()
    })
    await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve))
    const location = `http://127.0.0.1:${(canary.address() as AddressInfo).port}/`
    const { outcome, seen } = await ask(() => ({ status, headers: { location } }))
    await new Promise((resolve) => canary.close(resolve))
    expect(outcome).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED', tryNextLink: false })
    expect([seen.length, asked]).toEqual([1, 0])
  })

  it.each([400, 401, 403, 409, 413, 500, 502, 504])('C17 takes a %d for final', async (status) => {
    const { outcome, seen } = await ask(() => ({ status, body: { error: { code: 'policy_denied', request_id: 'r' } } }))
    expect(outcome).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED', tryNextLink: false })
    expect(seen.length).toBe(1)
  })

  it.each([429, 503])('C17 tries a %d again, with a new connection and a new attestation', async (status) => {
    const busy = { status, headers: { 'retry-after': '0' } }
    const { outcome, seen } = await ask((_seen, index) => (index < 2 ? busy : { body: keysFor('reader', ACCOUNT) }))
    expect(outcome).toMatchObject({ accountId: ACCOUNT })
    expect(new Set(seen.map((it) => it.ekm[0])).size).toBe(3)
    expect(new Set(seen.map((it) => it.body.attestation)).size).toBe(3)
    expect(new Set(seen.map((it) => it.body.request)).size).toBe(1)
  })

  it('C17 gives up on a broker that stays overloaded; the next provider may try', async () => {
    const { outcome, seen } = await ask(() => ({ status: 503, headers: { 'retry-after': '0' } }), { maxAttempts: 2 })
    expect(outcome).toMatchObject({ code: 'ERR_EKM_BROKER_UNREACHABLE', tryNextLink: true })
    expect(seen.length).toBe(2)
  })

  it('gives up when its time is over, also while it waits for the next try', async () => {
    const { outcome } = await ask(() => ({ status: 503, headers: { 'retry-after': '5' } }), { timeoutMs: 300 })
    expect(outcome).toMatchObject({ code: 'ERR_EKM_TIMEOUT', tryNextLink: false })
  })

  it.each<[string, ReturnType<typeof keysFor>]>([
    ['C10 account B', keysFor('reader', '444455556666')],
    ['C10 role B', keysFor('admin', ACCOUNT)],
    [
      'C10 another partition',
      { ...keysFor('reader', ACCOUNT), AssumedRoleArn: `arn:aws-cn:sts::${ACCOUNT}:assumed-role/reader/s1` },
    ],
  ])('discards keys of %s from a rogue broker', async (_what, body) => {
    const { outcome } = await ask(() => ({ body }))
    expect(outcome).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH', tryNextLink: false })
  })

  it('C10 discards keys that `checkIdentity` does not like', async () => {
    const expected: unknown[] = []
    const checkIdentity: FromEkmInit['checkIdentity'] = async (_keys, it) => {
      expected.push(it)
      throw new Error('not ours')
    }
    const error = await rejection(fromEkm(it1.init({ checkIdentity }))())
    expect(error).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH', tryNextLink: false })
    expect(expected).toEqual([{ roleArn: ROLE }])
  })

  it('does not wait for a `checkIdentity` that hangs', async () => {
    const checkIdentity = () => new Promise<void>(() => {})
    const error = await rejection(fromEkm(it1.init({ checkIdentity, timeoutMs: 300 }))())
    expect(error).toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
  })

  it('C11 refuses keys that are expired by the given clock, and takes them where the clock is 10 min off', async () => {
    const at = (minutes: number) => fromEkm(it1.init({ clock: () => Date.now() + minutes * 60_000 }))()
    await expect(at(10)).resolves.toMatchObject({ accountId: ACCOUNT })
    await expect(at(-10)).resolves.toMatchObject({ accountId: ACCOUNT })
    expect(await rejection(at(61))).toMatchObject({ code: 'ERR_EKM_RESPONSE' })
    expect(await rejection(at(-16))).toMatchObject({ code: 'ERR_EKM_RESPONSE' })
  })

  it('C13 turns every failure into one error with a code, and ends no process', async () => {
    const exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never)
    const good = keysFor('reader', ACCOUNT)
    const answers: (Answer | 'hang up')[] = [
      'hang up',
      { body: '<html>' },
      { body: '[]' },
      { body: '' },
      { body: { ...good, Expiration: 'tomorrow' } },
      { body: { ...good, SecretAccessKey: 7 } },
      { body: { ...good, AssumedRoleArn: undefined } },
      { body: 'x'.repeat(1_000_000) },
      { body: Buffer.from('HTTP/1.1 200 OK\r\nbad header\r\n\r\n{}') },
      { body: Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{') },
      { body: Buffer.from('SSH-2.0-x\r\n') },
    ]
    for (const answer of answers) {
      const { outcome } = await ask(() => answer, { maxAttempts: 1 })
      expect(outcome).toMatchObject({ name: 'EkmCredentialError', code: expect.stringMatching(/^ERR_EKM_/) })
    }
    const gone = fromEkm(it1.init({ broker: { ...it1.broker, address: '127.0.0.1:1' }, maxAttempts: 1 }))
    expect(await rejection(gone())).toMatchObject({ code: 'ERR_EKM_BROKER_UNREACHABLE', tryNextLink: true })
    const stranger = fromEkm(it1.init({ broker: { ...it1.broker, ca: (await createTestPki()).caPem } }))
    expect(await rejection(stranger())).toMatchObject({ code: 'ERR_EKM_BROKER_UNTRUSTED', tryNextLink: false })
    it1.launcher.claims = { dbgstat: 'enabled' }
    expect(await rejection(fromEkm(it1.init())())).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    expect(exit).not.toHaveBeenCalled()
    exit.mockRestore()
  })
})

/** Open descriptors, after the event loop has closed what it was told to close. */
async function settledDescriptors(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 50; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    least = Math.min(least, readdirSync('/proc/self/fd').length)
  }
  return least
}
