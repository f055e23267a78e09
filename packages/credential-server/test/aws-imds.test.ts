import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  type AwsTestServer,
  CREDENTIALS_PATH,
  ROLE,
  ROLES_PATH,
  startAwsServer,
  TOKEN,
  TOKEN_PATH,
  TTL,
  testProvider,
} from './aws-helpers.ts'

const START = Date.parse('2026-11-21T12:00:00.900Z')
let now = START
let target: AwsTestServer
beforeAll(async () => {
  const clock = () => now
  target = await startAwsServer({ clock }, testProvider(3_600_000, clock))
})
beforeEach(() => {
  now = START
})
afterAll(() => target.server.close())

const TEXT = 'text/plain; charset=utf-8'
const slashes = (path: string): string[] => [path, `${path}/`]

describe('IMDSv2 session tokens', () => {
  it.each([...slashes(TOKEN_PATH), `${TOKEN_PATH}/below`, `${TOKEN_PATH}/below/that/`])(
    'I08 are given by PUT %s',
    async (path) => {
      const answer = await target.put(path)
      expect(answer).toMatchObject({ status: 200, text: expect.stringMatching(/^[A-Za-z0-9+/]{100}$/) })
      expect(answer.headers).toMatchObject({ 'content-type': TEXT, [TTL]: '60', 'cache-control': 'no-store' })
    },
  )

  it('I12 are all different', async () => {
    const answers = await Promise.all(Array.from({ length: 128 }, () => target.put()))
    expect(new Set(answers.map((it) => it.text)).size).toBe(128)
  })

  it.each([
    ['21600', { [TTL]: '21600' }],
    ['1', { [TTL]: '1' }],
    ['060', { [TTL]: '060' }],
    ['21600', { 'X-AWS-EC2-METADATA-TOKEN-TTL-SECONDS': '' }],
    ['21600', {}],
  ])('I08 live so long as was asked, and longest where nothing was: %s', async (ttl, headers) => {
    expect(await target.put(TOKEN_PATH, headers)).toMatchObject({ status: 200, headers: { [TTL]: ttl } })
  })

  it.each([
    ['0'],
    ['-1'],
    ['+60'],
    ['21601'],
    ['1.5'],
    ['1e3'],
    ['0x10'],
    ['sixty'],
    ['9'.repeat(400)],
    [['60', '60']],
  ])('are refused for a life of %j', async (ttl) => {
    const answer = await target.put(TOKEN_PATH, { [TTL]: ttl as string })
    expect(answer).toMatchObject({ status: 400, text: 'invalid token TTL', headers: { 'content-type': TEXT } })
  })

  it.each([
    [{ 'x-forwarded-for': '192.0.2.1' }, 400, 'unable to process requests with X-Forwarded-For header'],
    [{ forwarded: 'for=192.0.2.1' }, 403, expect.any(String)],
    [{ via: '1.1 proxy' }, 403, expect.any(String)],
    [{ 'x-real-ip': '192.0.2.1' }, 403, expect.any(String)],
  ])('I05 are refused to a proxy: %j', async (headers, status, text) => {
    expect(await target.put(TOKEN_PATH, { ...headers, [TTL]: '60' } as Record<string, string>)).toMatchObject({
      status,
      text,
    })
    expect(target.events.at(-1)).toMatchObject({ type: 'refused', reason: 'forwarded', status })
  })
})

describe('the IMDSv2 form', () => {
  it.each(slashes(ROLES_PATH))('I08 lists the role at %s', async (path) => {
    const token = (await target.put()).text
    now += 10_500
    expect(await target.get(path, { [TOKEN]: token })).toMatchObject({
      status: 200,
      text: ROLE,
      headers: { 'content-type': TEXT, [TTL]: '49' },
    })
  })

  it.each(slashes(CREDENTIALS_PATH))('I08 has its credentials at %s', async (path) => {
    const answer = await target.read(path)
    expect(answer.text).toBe(
      '{"AccessKeyId":"ASIACANARY000001","SecretAccessKey":"secret-canary-000001","Token":"session-canary-000001",' +
        '"Code":"Success","Type":"AWS-HMAC","Expiration":"2026-11-21T13:00:00Z","LastUpdated":"2026-11-21T12:00:00Z"}\n',
    )
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': TEXT, [TTL]: '60' } })
  })

  it.each([
    `${ROLES_PATH}/other`,
    `${ROLES_PATH}/${ROLE.toLowerCase()}`,
    `${ROLES_PATH}//`,
    `${ROLES_PATH}//${ROLE}`,
    `${ROLES_PATH}/%45xampleS3WriteRole`,
    `${ROLES_PATH}%2f${ROLE}`,
    `${ROLES_PATH}/../security-credentials/${ROLE}`,
    `${CREDENTIALS_PATH}%00`,
    `${CREDENTIALS_PATH}//`,
    `${CREDENTIALS_PATH}/..`,
    `${CREDENTIALS_PATH}/below`,
    `${ROLES_PATH}-extended/`,
    '/latest/meta-data/placement/region',
    '/latest/dynamic/instance-identity/document',
    '/latest/meta-data/',
    '/latest',
    '/',
  ])('I09 has nothing at %s', async (path) => expect((await target.read(path)).status).toBe(404))

  it.each([`${TOKEN_PATH}//`, `${TOKEN_PATH}/../token`, `${TOKEN_PATH}/%2f`, `${TOKEN_PATH}/.`, '/latest/api/Token'])(
    'I09 gives no token at %s',
    async (path) => expect((await target.put(path)).status).toBe(404),
  )

  it.each([
    ['no token provided', {}],
    ['no token provided', { [TOKEN]: '' }],
    ['invalid token provided', { [TOKEN]: 'A'.repeat(100) }],
    ['invalid token provided', { [TOKEN]: 'short' }],
  ])('I10 says "%s" to %j', async (text, headers) => {
    for (const path of [ROLES_PATH, CREDENTIALS_PATH]) {
      const answer = await target.get(path, headers as Record<string, string>)
      expect(answer).toMatchObject({ status: 401, text, headers: { 'content-type': TEXT } })
      expect(target.events.at(-1)).toMatchObject({ type: 'refused', reason: 'token', status: 401 })
    }
  })

  it('I10 takes no two tokens, even good ones', async () => {
    const { text } = await target.put()
    expect(await target.get(ROLES_PATH, { [TOKEN]: [text, text] })).toMatchObject({ status: 401 })
  })

  it('I10 takes no token a moment after its end', async () => {
    const { text } = await target.put()
    now += 59_999
    expect(await target.get(CREDENTIALS_PATH, { [TOKEN]: text })).toMatchObject({
      status: 200,
      headers: { [TTL]: '0' },
    })
    now += 1
    expect((await target.get(CREDENTIALS_PATH, { [TOKEN]: text })).status).toBe(401)
  })

  it('I10 takes no token of another server, which may be the one before', async () => {
    const other = await startAwsServer()
    const { text } = await other.put()
    await other.server.close()
    expect((await target.get(CREDENTIALS_PATH, { [TOKEN]: text })).status).toBe(401)
  })

  it.each(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PATCH'])('I26 gives no token to %s', async (method) => {
    const answer = await target.get(TOKEN_PATH, { [TTL]: '60' }, method)
    expect(answer).toMatchObject({ status: 405, text: '', headers: { allow: 'PUT' } })
  })

  it.each(['PUT', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PATCH'])('I26 gives no credentials to %s', async (method) => {
    const token = (await target.put()).text
    for (const path of [ROLES_PATH, CREDENTIALS_PATH]) {
      const answer = await target.get(path, { [TOKEN]: token }, method)
      expect(answer).toMatchObject({ status: 405, text: '', headers: { allow: 'GET' } })
    }
  })

  it('I26 takes no body', async () => {
    const head = `PUT ${TOKEN_PATH} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n${TTL}: 60\r\n`
    expect(await target.raw(`${head}Content-Length: 1\r\n\r\nx`)).toMatch(/^HTTP\/1\.1 400 /)
    expect(await target.raw(`${head}Content-Length: 0\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it.each([
    [{ host: 'attacker.example:9911' }, 'host'],
    [{ origin: 'http://attacker.example' }, 'browser'],
    [{ referer: 'http://attacker.example/' }, 'browser'],
    [{ 'sec-fetch-site': 'same-origin' }, 'browser'],
    [{ via: '1.1 proxy' }, 'forwarded'],
    [{ 'x-forwarded-host': 'attacker.example' }, 'forwarded'],
  ])('I01 I03 I05 I06 refuses %j on PUT and GET', async (extra, reason) => {
    const token = (await target.put()).text
    const headers = { [TOKEN]: token, [TTL]: '60', ...extra } as Record<string, string>
    for (const [path, method] of [
      [TOKEN_PATH, 'PUT'],
      [CREDENTIALS_PATH, 'GET'],
      [TOKEN_PATH, 'OPTIONS'],
    ] as const) {
      const answer = await target.get(path, headers, method)
      expect(answer.status).toBe(403)
      expect(answer.text).not.toMatch(/canary/)
      expect(Object.keys(answer.headers).filter((it) => it.startsWith('access-control-'))).toEqual([])
      expect(target.events.at(-1)).toMatchObject({ reason, status: 403 })
    }
  })

  it('I05 refuses X-Forwarded-For on GET', async () => {
    const headers = { [TOKEN]: (await target.put()).text, 'x-forwarded-for': '192.0.2.1' }
    expect((await target.get(CREDENTIALS_PATH, headers)).status).toBe(403)
  })

  it('I12 NL tells no token and no key in events', () => {
    expect(target.events.length).toBeGreaterThan(50)
    expect(JSON.stringify(target.events)).not.toMatch(/canary|[A-Za-z0-9+/]{40}/)
  })

  it('is not there where it is not wanted', async () => {
    const other = await startAwsServer({ aws: { imds: false } })
    expect((await other.put()).status).toBe(404)
    expect(other.server.environment()).not.toHaveProperty('AWS_EC2_METADATA_SERVICE_ENDPOINT')
    await other.server.close()
  })
})
