import { readdirSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { EkmCredential, type EkmCredentialInit } from '../src/index.ts'
import { AUDIENCE, CLIENT, type Harness, MANAGEMENT, rejection, SCOPE, startHarness, TENANT } from './harness.ts'
import { type Answer, jwt, type Seen, startScriptedBroker, tokenFor, wantOf } from './scripted-broker.ts'

const OTHER_TENANT = '22222222-3333-4444-8555-666666666666'

let harness: Harness
beforeAll(async () => {
  harness = await startHarness()
})
afterAll(() => harness.close())
afterEach(() => {
  harness.launcher.fault = undefined
})

const credential = (other?: Partial<EkmCredentialInit>) => new EkmCredential(harness.init(other))
/** Attested requests so far, and tokens that Entra gave. */
const counts = () => ({ attestations: harness.launcher.requests.length, grants: harness.entra.calls.length })

describe('EkmCredential: options', () => {
  const broker = { url: 'https://broker.example.com', ca: 'PEM' }
  const honest: EkmCredentialInit = { broker, audience: AUDIENCE, tenantId: TENANT, clientId: CLIENT }

  it('does no I/O before it is asked for a token', () => {
    expect(new EkmCredential(honest)).toHaveProperty('getToken')
  })

  it.each<[string, object, typeof Error]>([
    ['C15 no audience', { audience: '' }, TypeError],
    ['C15 an empty tenant', { tenantId: '' }, TypeError],
    ['C15 P23 a tenant for everybody', { tenantId: 'common' }, TypeError],
    ['C15 P23 a tenant in braces', { tenantId: `{${TENANT}}` }, TypeError],
    ['C15 P23 a client that is a path', { clientId: '../' }, TypeError],
    ['C15 a certificate without a key', { broker: { ...broker, cert: 'PEM' } }, TypeError],
    ['C15 a key without a certificate', { broker: { ...broker, key: 'PEM' } }, TypeError],
    ['C15 no broker', { broker: undefined }, TypeError],
    ['C15 an unpinned broker', { broker: { url: broker.url } }, TypeError],
    ['C15 an unknown protocol', { protocol: 'v3' }, TypeError],
    ['C05 plaintext', { broker: { ...broker, url: 'http://broker.example.com' } }, TypeError],
    ['C05 a password in the URL', { broker: { ...broker, url: 'https://a:b@broker.example.com' } }, TypeError],
    ['half a millisecond', { timeoutMs: 1.5 }, RangeError],
    ['a time limit that is no number', { timeoutMs: Number.NaN }, RangeError],
    ['no attempt at all', { maxAttempts: 0 }, RangeError],
    ['a refresh after the end', { refreshBeforeMs: -1 }, RangeError],
  ])('refuses %s at once', (_what, other, type) => {
    expect(() => new EkmCredential({ ...honest, ...other } as EkmCredentialInit)).toThrow(type)
  })

  it('needs no package of Azure at run time', async () => {
    const folder = fileURLToPath(new URL('../src/', import.meta.url))
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'))
    const sources = await Promise.all(files.map((name) => readFile(`${folder}${name}`, 'utf8')))
    const imports = sources.flatMap((text) => text.match(/^.*'@azure\/.*$/gm) ?? [])
    expect(imports.length).toBeGreaterThan(0)
    expect(imports.filter((line) => !line.startsWith('import type '))).toEqual([])
  })
})

describe('EkmCredential: tokens', () => {
  it('brings back a token of the rule’s tenant and application', async () => {
    const before = Date.now()
    const token = await credential({ tenantId: TENANT, clientId: CLIENT }).getToken(SCOPE)
    expect(harness.entra.tokenFor(token.token)).toMatchObject({ tid: TENANT, appid: CLIENT })
    expect(token.tokenType).toBe('Bearer')
    const seconds = (token.expiresOnTimestamp - before) / 1000
    expect(seconds).toBeGreaterThan(3590)
    expect(seconds).toBeLessThanOrEqual(3600)
    expect(token.refreshAfterTimestamp).toBeLessThan(token.expiresOnTimestamp - 200_000)
    expect(harness.records.at(-1)).toMatchObject({ event: 'grant', protocol: 'v2', rule: 'blobs' })
  })

  it('leaves tenant and application to the policy where none is named, also over Go-v1', async () => {
    for (const protocol of ['v2', 'go-v1'] as const) {
      const { token } = await credential({ protocol }).getToken([SCOPE])
      expect(harness.entra.tokenFor(token)).toMatchObject({ tid: TENANT, appid: CLIENT })
      expect(harness.records.at(-1)).toMatchObject({ event: 'grant', protocol })
    }
  })

  it('P22 P23 is refused another scope, tenant or application than the rule’s', async () => {
    for (const [init, scope] of [
      [{}, MANAGEMENT],
      [{ tenantId: OTHER_TENANT }, SCOPE],
      [{ clientId: OTHER_TENANT }, SCOPE],
    ] as const) {
      const before = counts().grants
      const error = await rejection(credential(init).getToken(scope))
      expect(error).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED', name: 'AuthenticationError', statusCode: 403 })
      expect(error).toMatchObject({ errorResponse: { error: 'policy_denied' } })
      expect(counts().grants).toBe(before)
    }
  })

  it('asks once for as long as a token lasts', async () => {
    const before = counts()
    const it = credential()
    const tokens = [await it.getToken(SCOPE), await it.getToken([SCOPE], { enableCae: true })]
    expect(tokens[0]).toEqual(tokens[1])
    expect(counts()).toEqual({ attestations: before.attestations + 1, grants: before.grants + 1 })
  })

  it('C16 has 500 callers at once share one attestation and one grant', async () => {
    const before = counts()
    const it = credential()
    const all = await Promise.all(Array.from({ length: 500 }, () => it.getToken(SCOPE)))
    expect(new Set(all.map((one) => one.token)).size).toBe(1)
    expect(counts()).toEqual({ attestations: before.attestations + 1, grants: before.grants + 1 })
  })

  it('C16 has them share a failure too, which is forgotten', async () => {
    const it = credential()
    harness.launcher.fault = (_req, res) => void res.writeHead(500).end('busy')
    const before = counts()
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => it.getToken(SCOPE)))
    expect(all.every((one) => one.status === 'rejected')).toBe(true)
    expect(counts()).toEqual({ ...before, attestations: before.attestations + 1 })
    harness.launcher.fault = undefined
    await expect(it.getToken(SCOPE)).resolves.toMatchObject({ tokenType: 'Bearer' })
  })

  it('C08 leaves nothing open, token after token, refusal after refusal', async () => {
    const ask = async (times: number) => {
      for (let i = 0; i < times; i++) {
        await credential().getToken(SCOPE)
        await rejection(credential().getToken(MANAGEMENT))
      }
      return settledDescriptors()
    }
    const before = await ask(10)
    expect(await ask(60)).toBeLessThan(before + 10)
  })

  it('C09 keeps two credentials apart: another authority, host and tenant', async () => {
    const other = await startHarness({ tenantId: OTHER_TENANT })
    try {
      const [a, b] = [credential(), new EkmCredential(other.init())]
      const [first, second] = await Promise.all([a.getToken(SCOPE), b.getToken(SCOPE)])
      expect(harness.entra.tokenFor(first.token)).toMatchObject({ tid: TENANT })
      expect(other.entra.tokenFor(second.token)).toMatchObject({ tid: OTHER_TENANT })
      const crossed = credential({ broker: { ...harness.broker, ca: other.broker.ca! } })
      expect(await rejection(crossed.getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_BROKER_UNTRUSTED' })
    } finally {
      await other.close()
    }
  })

  it('shows its client certificate', async () => {
    const mutual = await startHarness({ clientCa: true })
    try {
      const { certPem, keyPem } = await mutual.pki.issue({ commonName: 'workload', usage: 'client' })
      const broker = { ...mutual.broker, cert: certPem, key: keyPem }
      await expect(new EkmCredential(mutual.init({ broker })).getToken(SCOPE)).resolves.toBeDefined()
      await rejection(new EkmCredential(mutual.init({ maxAttempts: 1 })).getToken(SCOPE))
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
      await credential().getToken(SCOPE)
      expect(asked).toEqual([])
      const told = credential({ broker: { ...harness.broker, proxy: url }, maxAttempts: 1 })
      expect(await rejection(told.getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_BROKER_UNREACHABLE' })
      expect(asked).toEqual([harness.broker.address])
    } finally {
      for (const name of names) delete process.env[name]
      Object.assign(process.env, before)
      await new Promise((resolve) => proxy.close(resolve))
    }
  })
})

describe('EkmCredential: what it sends', () => {
  const sent = async (init: Partial<EkmCredentialInit>, ...args: Parameters<EkmCredential['getToken']>) => {
    const answer = (seen: Seen) => ({
      body: seen.path === '/token' ? `${JSON.stringify(goAnswer)}\nok` : tokenFor(),
    })
    const goAnswer = { expires_in: new Date(Date.now() + 3_600_000).toISOString(), access_token: jwt() }
    const scripted = await startScriptedBroker(harness.pki, answer)
    await credential({ broker: scripted.broker, ...init }).getToken(...args)
    await scripted.close()
    const [seen] = scripted.seen
    return { path: seen!.path, want: wantOf(seen!), seen: seen! }
  }

  it('asks for the scope as it was given', async () => {
    const { path, want } = await sent({}, 'https://storage.azure.com//.default')
    expect([path, want]).toEqual(['/v2/credentials', { target: 'azure', scope: 'https://storage.azure.com//.default' }])
  })

  it('C14 asks for the tenant of the call, or its own, and for its application', async () => {
    const all = { target: 'azure', scope: SCOPE, tenant_id: TENANT }
    expect((await sent({}, SCOPE, { tenantId: TENANT.toUpperCase() })).want).toEqual(all)
    expect((await sent({ tenantId: TENANT, clientId: CLIENT }, SCOPE)).want).toEqual({ ...all, client_id: CLIENT })
  })

  it('sends what the Go program sends, and takes the text that the Go server adds', async () => {
    const { path, want, seen } = await sent({ protocol: 'go-v1', tenantId: TENANT, clientId: CLIENT }, SCOPE)
    expect([path, want]).toEqual(['/token', { tenant: TENANT, appid: CLIENT, scope: SCOPE }])
    expect(Object.keys(seen.body)).toEqual(['token_jwt', 'attestation_jwt'])
    expect((await sent({ protocol: 'go-v1' }, SCOPE)).want).toEqual({ scope: SCOPE })
  })

  it.each([
    ['P22 two scopes', [SCOPE, MANAGEMENT], {}],
    ['P22 a delegated scope', 'https://graph.microsoft.com/User.Read', {}],
    ['U22 a claims challenge', SCOPE, { claims: '{"access_token":{}}', enableCae: true }],
    ['C14 another tenant than its own', SCOPE, { tenantId: OTHER_TENANT }],
    ['a signal that has fired', SCOPE, { abortSignal: AbortSignal.abort() }],
  ])('asks nobody on %s', async (_what, scopes, options) => {
    const before = counts()
    await rejection(credential({ tenantId: TENANT }).getToken(scopes, options))
    expect(counts()).toEqual(before)
  })
})

describe('EkmCredential: time', () => {
  /** A broker whose tokens are numbered and end `seconds` after now, by a clock that the test moves. */
  async function setUp(seconds: number, script?: (index: number) => Answer | undefined) {
    const time = { now: Date.parse('2026-08-22T12:00:00Z') }
    const scripted = await startScriptedBroker(
      harness.pki,
      (_seen, index) => script?.(index) ?? { body: tokenFor(seconds, time.now, `token-${index + 1}`) },
    )
    const init = { broker: scripted.broker, clock: () => time.now, random: () => 0, maxAttempts: 1 }
    return { time, scripted, credential: credential(init) }
  }

  it('replaces a token of 60 s in time, without making anybody wait', async () => {
    const { time, scripted, credential } = await setUp(60)
    const names = []
    for (const ms of [0, 29_999, 30_000]) {
      time.now = Date.parse('2026-08-22T12:00:00Z') + ms
      names.push((await credential.getToken(SCOPE)).token)
    }
    expect(names).toEqual(['token-1', 'token-1', 'token-1'])
    while ((await credential.getToken(SCOPE)).token === 'token-1')
      await new Promise((resolve) => setTimeout(resolve, 1))
    expect(await credential.getToken(SCOPE)).toMatchObject({ token: 'token-2' })
    await scripted.close()
    expect(scripted.seen.length).toBe(2)
  })

  it('never returns an expired token, whatever the broker says', async () => {
    const { time, scripted, credential } = await setUp(60, (index) => (index > 0 ? { status: 403 } : undefined))
    await credential.getToken(SCOPE)
    time.now += 60_000
    expect(await rejection(credential.getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    await scripted.close()
  })

  it('C11 takes a token where the clock is 10 min off, and refuses one that is over by it', async () => {
    const at = (minutes: number) => credential({ clock: () => Date.now() + minutes * 60_000 }).getToken(SCOPE)
    await expect(at(10)).resolves.toBeDefined()
    await expect(at(-10)).resolves.toBeDefined()
    expect(await rejection(at(61))).toMatchObject({ code: 'ERR_EKM_RESPONSE' })
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
