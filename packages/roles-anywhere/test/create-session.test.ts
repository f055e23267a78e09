import { createServer, type Server } from 'node:net'
import { awsError, hangs, hugeBody, plainPage, redirects, resets, throttled } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { type CreateSessionInit, createSession, prepareSession } from '../src/create-session.ts'
import { RolesAnywhereError } from '../src/errors.ts'
import { type Harness, MINUTE_MS, PROFILE, ROLE, rejection, sourceOf, startHarness } from './harness.ts'

let harness: Harness
/** Of the service, relative to the real one. */
let serviceAheadMs = 0
beforeAll(async () => {
  harness = await startHarness({ clock: () => Date.now() + serviceAheadMs })
})
beforeEach(() => {
  const { service, warnings, client } = harness
  serviceAheadMs = 0
  service.fault = undefined
  service.answer = undefined
  for (const list of [service.calls, service.refusals, service.requests, warnings]) list.length = 0
  client.asked.current = client.asked.sign = 0
})
afterAll(() => harness.close())

const create = (over: Partial<CreateSessionInit> = {}) => createSession(harness.init(over))
const refusal = (over: Partial<CreateSessionInit> = {}) => rejection(create(over))

describe('createSession', () => {
  it('gets a session for an EC key', async () => {
    const session = await create({ durationSeconds: 900, roleSessionName: 'worked' })
    expect(session).toMatchObject({
      accessKeyId: expect.stringMatching(/^ASIA/),
      accountId: '111122223333',
      assumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/reader/worked',
      subjectArn: expect.stringMatching(/:subject\//),
      expirationText: expect.stringMatching(/Z$/),
    })
    expect(session.expiration.getTime() - Date.now()).toBeGreaterThan(890_000)
    expect(harness.service.calls).toMatchObject([
      { algorithm: 'AWS4-X509-ECDSA-SHA256', arnsIn: 'query', attempt: 'attempt=1; max=3', requestedSeconds: 900 },
    ])
    expect(harness.warnings).toEqual([])
  })

  it('gets one for an RSA key, and leaves the duration to the profile where none is given', async () => {
    const pem = await harness.pki.issue({ commonName: 'rsa.example', usage: 'client', keyType: 'RSA-2048' })
    await create({ identity: sourceOf(pem).source })
    const [call] = harness.service.calls
    expect(call).toMatchObject({ algorithm: 'AWS4-X509-RSA-SHA256', durationSeconds: 7200, chainLength: 0 })
    expect(call).not.toHaveProperty('requestedSeconds')
    expect(call!.signedHeaders).toEqual([
      'amz-sdk-invocation-id',
      'amz-sdk-request',
      'content-type',
      'host',
      'x-amz-date',
      'x-amz-x509',
    ])
  })

  it('S11: does not send what another key signed, and says which mistake it is', async () => {
    const [mine, other] = await Promise.all([1, 2].map(() => harness.pki.issue({ commonName: 'a', usage: 'client' })))
    const { source } = sourceOf({ certPem: mine!.certPem, keyPem: other!.keyPem })
    expect(await refusal({ identity: source })).toMatchObject({
      code: 'ERR_RA_MISMATCH',
      message: expect.stringContaining('give the key that the certificate was made for'),
    })
    expect(harness.service.requests).toEqual([])
  })

  it('S11: does not send what the service refuses anyway', async () => {
    const pem = await harness.pki.issue({ commonName: 'a', usage: 'client', notAfter: new Date(Date.now() - 1000) })
    expect(await refusal({ identity: sourceOf(pem).source })).toMatchObject({ code: 'ERR_RA_EXPIRED' })
    expect(harness.service.requests).toEqual([])
  })

  it('lets the service decide where it was told so', async () => {
    const pem = await harness.pki.issue({ commonName: 'a', usage: 'none' })
    const error = await refusal({ identity: sourceOf(pem).source, certificateRules: 'warn' })
    expect(error).toMatchObject({ code: 'ERR_RA_REFUSED', awsCode: 'AccessDeniedException', status: 403 })
    expect(harness.warnings).toMatchObject([{ code: 'WARN_RA_CERTIFICATE' }])
  })

  it('says what the service says, and what it means', async () => {
    const stranger = await startHarness()
    await stranger.close()
    const error = await refusal({ identity: stranger.client.source })
    expect(error).toMatchObject({ code: 'ERR_RA_REFUSED', awsCode: 'AccessDeniedException', tryNextLink: false })
    expect(error.message).toMatch(/ntrusted (signing )?certificate/)
    expect(error.message).toContain('does not lead to the trust anchor')
    expect(error.message).toContain(String(error.requestId))
    expect(harness.service.requests).toHaveLength(1)
  })

  it('S10: signs each try anew, and asks for the same', async () => {
    let faults = 2
    const { service, client } = harness
    service.fault = (req, res) => {
      if (--faults === 0) service.fault = undefined
      resets('headers')(req, res)
    }
    await create()
    expect(service.requests.map(({ attempt }) => attempt)).toEqual([1, 2, 3].map((n) => `attempt=${n}; max=3`))
    expect(client.asked).toEqual({ current: 1, sign: 3 })
    expect(harness.warnings.map(({ code }) => code)).toEqual(['WARN_RA_RETRY', 'WARN_RA_RETRY'])
  })

  it.each([
    ['U07: a connection that breaks before the answer', resets('headers'), 'ERR_RA_UNREACHABLE', 3],
    ['U07: a connection that breaks amid the answer', resets('body'), 'ERR_RA_UNREACHABLE', 3],
    ['a fault of the service', awsError(503, 'ServiceUnavailableException'), 'ERR_RA_UNREACHABLE', 3],
    ['U11: a page of a gateway', plainPage(502), 'ERR_RA_UNREACHABLE', 3],
    ['U04: throttling', throttled(), 'ERR_RA_THROTTLED', 3],
    ['U04: throttling by its code', awsError(400, 'ThrottlingException'), 'ERR_RA_THROTTLED', 3],
    ['a refusal', awsError(400, 'ValidationException'), 'ERR_RA_REFUSED', 1],
    ['a page of a captive portal', plainPage(200), 'ERR_RA_RESPONSE', 1],
    ['a page that is not found', plainPage(404), 'ERR_RA_RESPONSE', 1],
    ['a redirect', redirects(307, 'https://example.com/'), 'ERR_RA_RESPONSE', 1],
    ['U17: an answer that does not end', hugeBody(1_000_000), 'ERR_RA_RESPONSE', 1],
  ])('gives up after so many tries: %s', async (_, fault, code, tries) => {
    harness.service.fault = fault
    const error = await refusal()
    expect(error).toBeInstanceOf(RolesAnywhereError)
    expect(error.code).toBe(code)
    expect(error.cause).toBeUndefined()
    expect(harness.service.requests).toHaveLength(tries)
  })

  it('leaves the service alone for as long as it asks, and gives up at once where that is too long', async () => {
    harness.service.fault = throttled(60)
    const began = Date.now()
    expect(await refusal()).toMatchObject({ code: 'ERR_RA_THROTTLED' })
    expect(Date.now() - began).toBeLessThan(5000)
    expect(harness.service.requests).toHaveLength(1)
  })

  it('is not hurried by a service that asks for no wait', async () => {
    harness.service.fault = throttled(0)
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.99)
    const began = performance.now()
    expect(await refusal({ maxAttempts: 2 })).toMatchObject({ code: 'ERR_RA_THROTTLED' })
    expect(performance.now() - began).toBeGreaterThan(150)
    random.mockRestore()
  })

  it.each(['headers', 'body'] as const)('U05, U06: ends with its time where the service hangs: %s', async (where) => {
    harness.service.fault = hangs(where)
    expect(await refusal({ timeoutMs: 150 })).toMatchObject({ code: 'ERR_RA_TIMEOUT', tryNextLink: false })
  })

  it('U05: ends with its time where the key hangs', async () => {
    const { identity } = harness.client
    const stuck = { ...identity, sign: () => new Promise<never>(() => {}) }
    const source = { ...harness.client.source, current: async () => stuck }
    expect(await refusal({ identity: source, timeoutMs: 100 })).toMatchObject({ code: 'ERR_RA_TIMEOUT' })
  })

  it('U09: ends with the signal of the caller', async () => {
    harness.service.fault = hangs('headers')
    const controller = new AbortController()
    const session = prepareSession(harness.init())({ signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    expect(await rejection(session)).toMatchObject({ code: 'ERR_RA_ABORTED' })
    const early = prepareSession(harness.init())({ signal: AbortSignal.abort() })
    expect(await rejection(early)).toMatchObject({ code: 'ERR_RA_ABORTED' })
  })

  it('U03: nobody there', async () => {
    const error = await refusal({ endpoint: 'http://127.0.0.1:1', maxAttempts: 2 })
    expect(error).toMatchObject({ code: 'ERR_RA_UNREACHABLE', tryNextLink: true })
    expect(error.message).toContain('ECONNREFUSED')
    expect(harness.warnings).toHaveLength(1)
  })

  it('passes on what the identity has to say', async () => {
    const error = new RolesAnywhereError('ERR_RA_PASSWORD', 'wrong')
    const source = { name: 'test', current: () => Promise.reject(error), close: async () => {} }
    expect(await refusal({ identity: source })).toBe(error)
  })
})

describe('a clock that is wrong', () => {
  it.each([6, -6, 100])('S07: by %d minutes: says so, and signs once more by that of the service', async (minutes) => {
    serviceAheadMs = minutes * MINUTE_MS
    if (minutes > 0) await create()
    else await create({ durationSeconds: 900 })
    expect(harness.warnings).toMatchObject([
      { code: 'WARN_RA_CLOCK', message: expect.stringContaining(minutes > 0 ? 's behind' : 's ahead') },
    ])
    expect(harness.service.requests).toHaveLength(2)
  })

  it.each([6, -16])('S07: by %d minutes: is not corrected where nobody is told', async (minutes) => {
    serviceAheadMs = minutes * MINUTE_MS
    const error = await refusal({ onWarning: undefined })
    expect(error).toMatchObject({ code: 'ERR_RA_CLOCK', status: 403, awsCode: 'AccessDeniedException' })
    expect(error.message).toMatch(
      /clock is \d+ s (behind|ahead) by that of the service: set it right \(.*Invalid signature/,
    )
    expect(harness.service.requests).toHaveLength(1)
  })

  it('S07: signs nothing for a day that is far away', async () => {
    serviceAheadMs = 25 * 60 * MINUTE_MS
    expect(await refusal({})).toMatchObject({ code: 'ERR_RA_CLOCK' })
    expect(harness.service.requests).toHaveLength(1)
    expect(harness.warnings).toEqual([])
  })

  it('S07: within what AWS accepts, nothing is said', async () => {
    serviceAheadMs = 4 * MINUTE_MS
    await create()
    expect(harness.warnings).toEqual([])
    expect(harness.service.requests).toHaveLength(1)
  })

  it('S07: does not hand out what this machine would take for expired', async () => {
    serviceAheadMs = -20 * MINUTE_MS
    const error = await refusal({ durationSeconds: 900 })
    expect(error).toMatchObject({ code: 'ERR_RA_CLOCK' })
    expect(error.message).toMatch(/ is 120[01] s ahead: set it right$/)
  })

  it('does not go round where that does not help', async () => {
    serviceAheadMs = 10 * MINUTE_MS
    const error = await refusal({ profileArn: `${PROFILE}0` })
    expect(error).toMatchObject({ code: expect.stringMatching(/REFUSED/) })
    expect(harness.service.requests.length).toBeLessThanOrEqual(2)
  })

  it('tells the clock with a refusal', async () => {
    harness.service.fault = awsError(403, 'AccessDeniedException', {
      message: 'Invalid signature',
      headers: { date: new Date(Date.now() + 3_600_000).toUTCString() },
    })
    const error = await refusal()
    expect(error.message).toMatch(/Invalid signature; check this machine's clock.*clock is 3[56]\d\d s behind/)
    expect(harness.service.requests).toHaveLength(2)
  })
})

describe('answers that are not what was asked for', () => {
  it.each([
    ['U20: no credentials', { credentialSet: [] }],
    ['U20: an error with a success', '{"message":"Untrusted signing certificate"}'],
  ])('%s', async (_, answer) => {
    harness.service.answer = () => answer
    expect(await refusal()).toMatchObject({ code: 'ERR_RA_RESPONSE' })
    expect(harness.service.requests).toHaveLength(1)
  })
})

describe('a server that speaks something else', () => {
  let server: Server
  let says: string
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(says))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  it('S07: does not take the time of a success for its own, which would let keys last for years', async () => {
    const expiration = '2031-01-01T00:00:00Z'
    const credentials = {
      accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      sessionToken: 'IQoJb3JpZ2luX2VjEXAMPLETOKEN',
      expiration,
    }
    const body = JSON.stringify({ credentialSet: [{ roleArn: ROLE, credentials }] })
    const date = new Date(Date.parse(expiration) - 900_000).toUTCString()
    says = `HTTP/1.1 201 Created\r\ndate: ${date}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const { port } = server.address() as { port: number }
    const error = await refusal({ endpoint: `http://127.0.0.1:${port}` })
    expect(error).toMatchObject({ code: 'ERR_RA_RESPONSE', message: expect.stringContaining('lasts longer') })
  })

  it.each([
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: secret\r\n\r\n'],
    ['no HTTP', 'SSH-2.0-secret\r\n\r\n'],
    ['a header that can not be', 'HTTP/1.1 200 OK\r\nsecret\u0000: 1\r\n\r\n'],
  ])('%s', async (_, text) => {
    says = text
    const { port } = server.address() as { port: number }
    const error = await refusal({ endpoint: `http://127.0.0.1:${port}`, maxAttempts: 1 })
    expect(error.code).toBe('ERR_RA_RESPONSE')
    expect(JSON.stringify({ ...error, message: error.message, stack: error.stack })).not.toContain('secret')
  })
})

describe('options that can not be right', () => {
  it.each<[keyof CreateSessionInit, unknown, string]>([
    ['trustAnchorArn', PROFILE, '"trustAnchorArn"'],
    ['profileArn', 'arn:aws:rolesanywhere:eu-west-1:111122223333:profile/41c10bae', '"profileArn" is in eu-west-1'],
    ['profileArn', `${PROFILE}\n`, '"profileArn"'],
    ['roleArn', 'arn:aws:iam::111122223333:user/reader', '"roleArn"'],
    ['roleArn', undefined, '"roleArn"'],
    ['durationSeconds', 899, '900 to 43200'],
    ['durationSeconds', 43_201, '900 to 43200'],
    ['durationSeconds', 900.5, '900 to 43200'],
    ['roleSessionName', 'a', '"roleSessionName"'],
    ['roleSessionName', 'a b', '"roleSessionName"'],
    ['region', 'us-east-1/x', '"region"'],
    ['endpoint', 'http://example.com', '"endpoint"'],
    ['timeoutMs', 0, '"timeoutMs"'],
    ['maxAttempts', 0, '"maxAttempts"'],
    ['identity', {}, '"identity"'],
    ['ca', 'x', '"ca"'],
    ['proxy', 'socks5://user:hunter2@example.com', '"proxy"'],
    ['proxy', 'http://user:hunter2%zz@example.com', '"proxy"'],
  ])('S03: %s: %s', (name, value, says) => {
    const init = harness.init({ [name]: value })
    const thrown = jest.fn(() => prepareSession(init))
    expect(thrown).toThrow(says)
    expect(thrown).not.toThrow('hunter2')
  })
})
