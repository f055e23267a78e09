import { createTestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { confidentialSpaceLauncher, EkmCredential, type EkmCredentialInit } from '../src/index.ts'
import { CLIENT, type Harness, rejection, SCOPE, startHarness, TENANT } from './harness.ts'
import { type Answer, jwt, startScriptedBroker, tokenFor } from './scripted-broker.ts'

const OTHER_TENANT = '22222222-3333-4444-8555-666666666666'

let harness: Harness
beforeAll(async () => {
  harness = await startHarness()
})
afterAll(() => harness.close())
afterEach(() => {
  harness.launcher.fault = undefined
  harness.entra.claims = {}
})

const credential = (other?: Partial<EkmCredentialInit>) => new EkmCredential(harness.init(other))

describe('EkmCredential: callers that leave', () => {
  let broker: Awaited<ReturnType<typeof startScriptedBroker>>
  afterEach(() => broker.close())

  /** A credential and its broker, and when the broker has heard of it. */
  async function setUp(script: (index: number) => ReturnType<Parameters<typeof startScriptedBroker>[1]>) {
    let heard: () => void = () => {}
    const asked = new Promise<void>((resolve) => {
      heard = resolve
    })
    broker = await startScriptedBroker(harness.pki, (_seen, index) => {
      heard()
      return script(index)
    })
    return { asked, attested: credential({ broker: broker.broker }) }
  }

  it('lets one leave while the others get their token', async () => {
    let answer: (it: Answer) => void = () => {}
    const said = new Promise<Answer>((resolve) => {
      answer = resolve
    })
    const { asked, attested } = await setUp(() => said)
    const controller = new AbortController()
    const leaver = rejection(attested.getToken(SCOPE, { abortSignal: controller.signal }))
    const stayer = attested.getToken(SCOPE)
    await asked
    controller.abort()
    expect(await leaver).toMatchObject({ name: 'AbortError' })
    answer({ body: tokenFor() })
    await expect(stayer).resolves.toMatchObject({ tokenType: 'Bearer' })
    expect(broker.seen.length).toBe(1)
  })

  it('hangs up when nobody waits any more, and asks anew for whoever comes then', async () => {
    const { asked, attested } = await setUp((index) => (index === 0 ? 'hang' : { body: tokenFor() }))
    const controller = new AbortController()
    const leavers = [1, 2].map(() => rejection(attested.getToken(SCOPE, { abortSignal: controller.signal })))
    await asked
    const [socket] = broker.sockets
    const closed = new Promise((resolve) => socket!.once('close', resolve))
    controller.abort()
    for (const leaver of leavers) expect(await leaver).toMatchObject({ name: 'AbortError' })
    await expect(attested.getToken(SCOPE)).resolves.toMatchObject({ tokenType: 'Bearer' })
    await closed
    expect(broker.seen.length).toBe(2)
  })

  it('lets a caller’s own time end', async () => {
    const { attested } = await setUp(() => 'hang')
    const error = await rejection(attested.getToken(SCOPE, { requestOptions: { timeout: 20 } }))
    expect(error).toMatchObject({ code: 'ERR_EKM_TIMEOUT', name: 'AuthenticationError' })
    expect(error.message).toBe('no token within the time that this call had')
  })
})

describe('EkmCredential: what fails', () => {
  const ask = async (answer: Parameters<typeof startScriptedBroker>[1], other?: Partial<EkmCredentialInit>) => {
    const scripted = await startScriptedBroker(harness.pki, answer)
    const init = { broker: scripted.broker, tenantId: TENANT, clientId: CLIENT, ...other }
    const outcome: unknown = await credential(init)
      .getToken(SCOPE)
      .catch((error: unknown) => error)
    await scripted.close()
    return { outcome, seen: scripted.seen }
  }

  it.each([
    ['C01 500', 500, 'internal error'],
    ['C01 200 with text', 200, 'no token today'],
    ['C01 200 with nothing', 200, ''],
  ])('%s of the launcher: nothing is sent to the broker', async (_what, status, body) => {
    harness.launcher.fault = (_req, res) => void res.writeHead(status).end(body)
    const before = harness.records.length
    const error = await rejection(credential().getToken(SCOPE))
    expect(error).toMatchObject({ code: 'ERR_EKM_ATTESTATION_FAILED', name: 'AuthenticationError' })
    expect(harness.records.length).toBe(before)
  })

  it('C02 does not wait for a launcher that hangs', async () => {
    harness.launcher.fault = () => {}
    const attestation = confidentialSpaceLauncher({ socketPath: harness.launcher.socketPath, timeoutMs: 20 })
    expect(await rejection(credential({ attestation }).getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
    expect(await rejection(credential({ timeoutMs: 20 }).getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
  })

  it.each([301, 302, 307, 308])('C06 does not follow a %d', async (status) => {
    const { outcome, seen } = await ask(() => ({ status, headers: { location: 'http://127.0.0.1:1/' } }))
    expect(outcome).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    expect(seen.length).toBe(1)
  })

  it.each([400, 401, 403, 409, 413, 500, 502, 504])('C17 takes a %d for final', async (status) => {
    const body = { error: { code: 'policy_denied', request_id: 'r-1' } }
    const { outcome, seen } = await ask(() => ({ status, body }))
    expect(outcome).toMatchObject({
      code: 'ERR_EKM_BROKER_REFUSED',
      name: 'AuthenticationError',
      statusCode: status,
      errorResponse: { error: 'policy_denied', correlationId: 'r-1' },
    })
    expect(seen.length).toBe(1)
  })

  it.each([429, 503])('C17 tries a %d again, with a new connection and a new attestation', async (status) => {
    const busy = { status, headers: { 'retry-after': '0' } }
    const { outcome, seen } = await ask((_seen, index) => (index < 2 ? busy : { body: tokenFor() }))
    expect(outcome).toMatchObject({ tokenType: 'Bearer' })
    expect(new Set(seen.map((it) => it.ekm[0])).size).toBe(3)
    expect(new Set(seen.map((it) => it.body.attestation)).size).toBe(3)
    expect(new Set(seen.map((it) => it.body.request)).size).toBe(1)
  })

  it('C17 gives up on a broker that stays overloaded; the next credential may try', async () => {
    const { outcome, seen } = await ask(() => ({ status: 503, headers: { 'retry-after': '0' } }), { maxAttempts: 2 })
    expect(outcome).toMatchObject({ code: 'ERR_EKM_BROKER_UNREACHABLE', name: 'CredentialUnavailableError' })
    expect(outcome).toMatchObject({ statusCode: undefined, refusal: { status: 503, retryAfterSeconds: 0 } })
    expect(seen.length).toBe(2)
  })

  it('gives up when its time is over, also while it waits for the next try', async () => {
    const { outcome } = await ask(() => ({ status: 503, headers: { 'retry-after': '5' } }), { timeoutMs: 300 })
    expect(outcome).toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
  })

  it.each<[string, object]>([
    ['C10 tenant B', { tid: OTHER_TENANT }],
    ['C10 application B', { appid: OTHER_TENANT }],
    ['C10 resource B', { aud: 'https://management.azure.com' }],
  ])('discards a token of %s from a rogue broker', async (_what, claims) => {
    const { outcome } = await ask(() => ({ body: tokenFor(3600, Date.now(), jwt(claims)) }))
    expect(outcome).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH', name: 'AuthenticationError' })
  })

  it('U21 discards a token that Entra gave to somebody else', async () => {
    harness.entra.claims = { tid: OTHER_TENANT }
    const error = await rejection(credential({ tenantId: TENANT }).getToken(SCOPE))
    expect(error).toMatchObject({ code: 'ERR_EKM_IDENTITY_MISMATCH' })
  })

  it('C13 turns every failure into one error with a code, and ends no process', async () => {
    const exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never)
    const good = tokenFor()
    const answers: (Answer | 'hang up')[] = [
      'hang up',
      { body: '<html>' },
      { body: '[]' },
      { body: '' },
      { body: `${JSON.stringify(good)}ok` },
      { body: { ...good, expires_on: 'tomorrow' } },
      { body: { ...good, access_token: 7 } },
      { body: { ...good, token_type: undefined } },
      { body: 'x'.repeat(1_000_000) },
      { body: Buffer.from('HTTP/1.1 200 OK\r\nbad header\r\n\r\n{}') },
      { body: Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{') },
      { body: Buffer.from('SSH-2.0-x\r\n') },
    ]
    for (const answer of answers) {
      const { outcome } = await ask(() => answer, { maxAttempts: 1 })
      expect(outcome).toMatchObject({ code: expect.stringMatching(/^ERR_EKM_/) })
    }
    const gone = credential({ broker: { ...harness.broker, address: '127.0.0.1:1' }, maxAttempts: 1 })
    expect(await rejection(gone.getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_BROKER_UNREACHABLE' })
    const stranger = credential({ broker: { ...harness.broker, ca: (await createTestPki()).caPem } })
    expect(await rejection(stranger.getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_BROKER_UNTRUSTED' })
    const { claims } = harness.launcher
    harness.launcher.claims = { dbgstat: 'enabled' }
    expect(await rejection(credential().getToken(SCOPE))).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    harness.launcher.claims = claims
    expect(exit).not.toHaveBeenCalled()
    exit.mockRestore()
  })
})
