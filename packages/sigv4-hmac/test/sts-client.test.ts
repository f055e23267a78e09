import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { HmacBackendError } from '../src/hmac-backend-error.ts'
import { softwareHmac } from '../src/software-backend.ts'
import type { StsErrorCode } from '../src/sts-error.ts'
import { type Answer, assumed, ROLE, refuse, type StsHarness, script, startSts, USER } from './sts-harness.ts'

let sts: StsHarness
beforeAll(async () => {
  sts = await startSts()
})
afterEach(() => {
  sts.skewMs = 0
  sts.aws.fault = undefined
})
afterAll(() => sts.close())

const INPUT = { RoleArn: ROLE, RoleSessionName: 'workload', DurationSeconds: 900 }
const ask = (o: Parameters<StsHarness['client']>[0] = {}) => sts.client(o).assumeRole(INPUT)
const codeOf = async (work: Promise<unknown>): Promise<StsErrorCode | 'none'> => {
  const error = await work.then(
    () => undefined,
    (it: unknown) => it,
  )
  return error === undefined ? 'none' : (error as { code: StsErrorCode }).code
}
const say =
  (text: string | Buffer, status = 200): Answer =>
  (_req, res) =>
    void res.writeHead(status).end(text)

describe('createStsClient', () => {
  it('gets a session of a role, and says whose it is', async () => {
    const session = await ask()
    expect(session).toEqual({
      accessKeyId: expect.stringMatching(/^ASIA/),
      secretAccessKey: expect.any(String),
      sessionToken: expect.any(String),
      expiration: expect.any(Date),
      accountId: '444455556666',
      assumedRoleArn: 'arn:aws:sts::444455556666:assumed-role/Reader/workload',
    })
    expect(sts.aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole', principal: USER.arn })
  })

  it('gets a session of the user, which has no account in it', async () => {
    const session = await sts.client().getSessionToken({ DurationSeconds: 900 })
    expect(session).not.toHaveProperty('accountId')
    expect(await sts.client().getSessionToken()).toMatchObject({ accessKeyId: expect.stringMatching(/^ASIA/) })
    expect(sts.aws.calls.at(-1)).toMatchObject({ action: 'GetSessionToken', params: {} })
  })

  it('asks with temporary keys too, for role chaining', async () => {
    const next = 'arn:aws:iam::444455556666:role/Next'
    sts.aws.addRole({ arn: next, trusts: [ROLE] })
    const { accessKeyId, secretAccessKey, sessionToken } = await ask()
    const backend = softwareHmac({ secretAccessKey })
    const chained = await sts.client({ backend, accessKeyId, sessionToken }).assumeRole({ ...INPUT, RoleArn: next })
    expect(chained.assumedRoleArn).toBe('arn:aws:sts::444455556666:assumed-role/Next/workload')
    await backend.close()
  })

  it.each([
    ['a temporary key without its token', { accessKeyId: 'ASIAIOSFODNN7EXAMPLE' }],
    ['a long-term key with a token', { sessionToken: 'token' }],
  ])('refuses %s', (_name, init) => {
    expect(() => sts.client(init)).toThrow(TypeError)
  })

  it('names the session after the key where it was not named', async () => {
    const { assumedRoleArn } = await sts.client().assumeRole({ RoleArn: ROLE })
    expect(assumedRoleArn).toBe('arn:aws:sts::444455556666:assumed-role/Reader/hardbound-AKIAIOSFODNN7EXAMPLE')
  })
})

describe('what STS answers', () => {
  it.each<[string, Answer, StsErrorCode]>([
    ['garbage', say('so not XML'), 'ERR_STS_RESPONSE'],
    ['octets that are no text', say(Buffer.from([0xff, 0xfe, 0])), 'ERR_STS_RESPONSE'],
    ['nothing', say(''), 'ERR_STS_RESPONSE'],
    ['more than 64 KiB', say(assumed({ SessionToken: 'x'.repeat(70_000) })), 'ERR_STS_RESPONSE'],
    ['the answer to another action', say(assumed().replaceAll('AssumeRole', 'GetSessionToken')), 'ERR_STS_RESPONSE'],
    [
      'keys of another account',
      say(assumed({ Arn: 'arn:aws:sts::999999999999:assumed-role/Reader/workload' })),
      'ERR_STS_RESPONSE',
    ],
    [
      'keys of another role',
      say(assumed({ Arn: 'arn:aws:sts::444455556666:assumed-role/Writer/workload' })),
      'ERR_STS_RESPONSE',
    ],
    [
      'keys of another session',
      say(assumed({ Arn: 'arn:aws:sts::444455556666:assumed-role/Reader/other' })),
      'ERR_STS_RESPONSE',
    ],
    ['a long-term key', say(assumed({ AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' })), 'ERR_STS_RESPONSE'],
    ['an empty secret', say(assumed({ SecretAccessKey: '' })), 'ERR_STS_RESPONSE'],
    ['a token with a line feed', say(assumed({ SessionToken: 'IQoJb3JpZ2lu&#10;X2Vj/+==' })), 'ERR_STS_RESPONSE'],
    ['an expired session', say(assumed({ Expiration: '2026-01-01T00:00:00Z' })), 'ERR_STS_RESPONSE'],
    [
      'a session for a day',
      say(assumed({ Expiration: new Date(Date.now() + 86_400_000).toISOString() })),
      'ERR_STS_RESPONSE',
    ],
    ['an expiration without a zone', say(assumed({ Expiration: '2026-01-01T00:00:00' })), 'ERR_STS_RESPONSE'],
    [
      'two secrets',
      say(
        assumed({ SessionToken: 'IQoJb3JpZ2luX2Vj</SessionToken><SecretAccessKey>y</SecretAccessKey><SessionToken>' }),
      ),
      'ERR_STS_RESPONSE',
    ],
    [
      'a redirect',
      (_req, res) => void res.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
      'ERR_STS_RESPONSE',
    ],
    ['a page of a proxy', say('<html>Forbidden</html>', 403), 'ERR_STS_RESPONSE'],
    [
      '101',
      (_req, res) => void res.writeHead(101, { connection: 'upgrade', upgrade: 'h2c' }).end(),
      'ERR_STS_RESPONSE',
    ],
    ['no HTTP', (_req, res) => void res.socket!.end('SSH-2.0-OpenSSH\r\n'), 'ERR_STS_RESPONSE'],
    ['AccessDenied', refuse(403, 'AccessDenied'), 'ERR_STS_REFUSED'],
  ])('is not taken: %s', async (_, answer, code) => {
    script(sts, [answer])
    expect(await codeOf(ask())).toBe(code)
    expect(sts.seen).toHaveLength(1) // and none is tried again
  })

  it('is read as it should be, as a check of these tests', async () => {
    script(sts, [say(assumed())])
    expect(await codeOf(ask())).toBe('none')
  })

  it('is never shown: neither its text nor its secrets', async () => {
    const marked = 'MARK'.repeat(10)
    for (const answer of [
      say(assumed({ SecretAccessKey: marked, AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' })),
      refuse(403, 'AccessDenied', {}, marked),
      refuse(403, `<b>${marked}</b>`),
      say(marked, 403),
      ((_req, res) => void res.socket!.end(`${marked}\r\n`)) satisfies Answer,
    ]) {
      script(sts, [answer])
      const error = await ask().catch((it: Error) => it)
      expect(error).toBeInstanceOf(Error)
      const { stack, ...fields } = error as Error
      expect(`${stack} ${JSON.stringify(fields)} ${String((error as Error).cause)}`).not.toContain('MARK')
    }
  })

  it('names AWS’s code, the action and the request, and stops a chain', async () => {
    script(sts, [refuse(403, 'AccessDenied')])
    const error = await ask().catch((it: unknown) => it)
    expect(error).toMatchObject({ awsCode: 'AccessDenied', tryNextLink: false })
    expect((error as Error).message).toMatch(
      /^AssumeRole at 127\.0\.0\.1:\d+: AccessDenied \(request request-1\): refused$/,
    )
  })

  it('of the emulator itself: a role that does not trust us', async () => {
    const refused = sts.client().assumeRole({ RoleArn: `${ROLE}x` })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_STS_REFUSED', awsCode: 'AccessDenied' })
  })
})

describe('S10 tries again', () => {
  const reset: Answer = (_req, res) => void res.socket!.resetAndDestroy()
  const truncate: Answer = (_req, res) => {
    res.writeHead(200, { 'content-length': '2000' }).write('<Assume')
    setImmediate(() => res.socket!.end())
  }

  it.each<[string, Answer]>([
    ['500', refuse(500, 'InternalFailure')],
    ['503 of a load balancer', say('', 503)],
    ['429', refuse(429, 'TooManyRequestsException')],
    ['Throttling', refuse(400, 'Throttling')],
    ['a connection reset', reset],
    ['an answer cut off', truncate],
  ])('S10 after %s, with a new date and signature and the same parameters', async (_, answer) => {
    let nowMs = Date.now()
    script(sts, [answer])
    const session = await ask({
      clock: () => {
        nowMs += 1000
        return nowMs
      },
    })
    expect(session.accountId).toBe('444455556666')
    const [first, second] = sts.seen
    expect(sts.seen).toHaveLength(2)
    expect(second!.body).toBe(first!.body)
    expect(second!.date).not.toBe(first!.date)
    expect(second!.authorization).not.toBe(first!.authorization)
  })

  it('as often as asked for, and says what was the last', async () => {
    script(sts, [reset, refuse(500, 'InternalFailure'), refuse(400, 'Throttling'), undefined])
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_STS_THROTTLED', tryNextLink: false })
    expect(sts.seen).toHaveLength(3)
    script(sts, [reset, undefined])
    await expect(ask({ maxAttempts: 1 })).rejects.toMatchObject({ code: 'ERR_STS_UNREACHABLE', tryNextLink: true })
    expect(sts.seen).toHaveLength(1)
  })

  it('not before Retry-After, and not at all when that is beyond the deadline', async () => {
    script(sts, [refuse(429, 'Throttling', { 'retry-after': '1' })])
    const startMs = performance.now()
    await ask()
    expect(performance.now() - startMs).toBeGreaterThan(990)
    script(sts, [refuse(429, 'Throttling', { 'retry-after': '60' })])
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_STS_THROTTLED', retryAfterSeconds: 60 })
    script(sts, [refuse(503, 'ServiceUnavailable', { 'retry-after': new Date(Date.now() + 60_000).toUTCString() })])
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_STS_UNREACHABLE' })
    expect(sts.seen).toHaveLength(1)
  })

  it('not where nobody listens for ever: the next in a chain may try', async () => {
    const refused = ask({ endpoint: 'http://127.0.0.1:1' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_STS_UNREACHABLE', tryNextLink: true })
    await expect(refused).rejects.toThrow('ECONNREFUSED')
  })
})

describe('S07 a clock that is off', () => {
  it.each([4, -4])('S07 by %i minutes is taken by STS', async (minutes) => {
    sts.skewMs = minutes * 60_000
    expect(await codeOf(ask())).toBe('none')
  })

  it.each([
    [6, '360 s behind'],
    [-6, '360 s ahead'],
    [16, '960 s behind'],
    [-16, '960 s ahead'],
  ])('S07 by %i minutes is said, and not corrected', async (minutes, off) => {
    sts.skewMs = minutes * 60_000
    script(sts, [])
    const error = await ask().catch((it: unknown) => it)
    expect(error).toMatchObject({ code: 'ERR_STS_CLOCK', awsCode: 'RequestExpired' })
    expect(
      (error as Error).message.replace(/\d{3} s/, (it) => `${Math.round(Number.parseInt(it, 10) / 10) * 10} s`),
    ).toContain(off)
    await ask().catch(() => {})
    expect(sts.seen).toHaveLength(2)
    for (const { date } of sts.seen) {
      const ms = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
      expect(Math.abs(ms - Date.now())).toBeLessThan(60_000)
    }
  })

  it('S07 is told from a wrong key, both of which STS calls SignatureDoesNotMatch', async () => {
    const old = new Date(Date.now() - 600_000).toUTCString()
    script(sts, [refuse(403, 'SignatureDoesNotMatch', { date: old })])
    expect(await codeOf(ask())).toBe('ERR_STS_CLOCK')
    script(sts, [refuse(403, 'SignatureDoesNotMatch', {}, 'Signature expired: 20260822T120000Z is now earlier than …')])
    expect(await codeOf(ask())).toBe('ERR_STS_CLOCK')
    script(sts, [refuse(403, 'SignatureDoesNotMatch')])
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_STS_REFUSED', awsCode: 'SignatureDoesNotMatch' })
  })
})

describe('deadline and abort', () => {
  const hang: Answer = () => {}

  it('ends a call that is not answered', async () => {
    script(sts, [hang])
    await expect(ask({ timeoutMs: 60 })).rejects.toMatchObject({ code: 'ERR_STS_TIMEOUT', tryNextLink: false })
  })

  it('ends a call whose answer trickles in', async () => {
    script(sts, [
      (_req, res) => {
        const timer = setInterval(() => res.write(' '), 10)
        res.once('close', () => clearInterval(timer))
      },
    ])
    expect(await codeOf(ask({ timeoutMs: 80 }))).toBe('ERR_STS_TIMEOUT')
  })

  it('ends a call whose backend does not answer, whether or not that obeys', async () => {
    const backend = { name: 'stuck', hmacSha256: () => new Promise<never>(() => {}), close: async () => {} }
    expect(await codeOf(ask({ backend, timeoutMs: 30 }))).toBe('ERR_STS_TIMEOUT')
  })

  it('obeys the caller: before, at STS, and between two tries', async () => {
    const call = (signal: AbortSignal) => codeOf(sts.client().assumeRole(INPUT, { signal }))
    expect(await call(AbortSignal.abort())).toBe('ERR_STS_ABORTED')
    const atSts = new AbortController()
    script(sts, [() => atSts.abort()])
    expect(await call(atSts.signal)).toBe('ERR_STS_ABORTED')
    const between = new AbortController()
    script(sts, [
      (req, res) => {
        res.once('close', () => setImmediate(() => between.abort()))
        refuse(429, 'Throttling', { 'retry-after': '3' })(req, res, '')
      },
    ])
    expect(await call(between.signal)).toBe('ERR_STS_ABORTED')
    expect(sts.seen).toHaveLength(1)
  })

  it('passes on what the backend says', async () => {
    const error = new HmacBackendError('ERR_HMAC_LOCKED', 'tpm: locked')
    const backend = { name: 'tpm', hmacSha256: async () => Promise.reject(error), close: async () => {} }
    await expect(ask({ backend })).rejects.toBe(error)
  })
})
