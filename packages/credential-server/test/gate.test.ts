import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { authoritiesOf } from '../src/internal/gate.ts'
import { runFixture } from './child.ts'
import { APP_SERVICE, IMDS, identityHeader, metadata, startServer, type TestServer } from './helpers.ts'

let target: TestServer
beforeAll(async () => {
  target = await startServer()
})
afterAll(() => target.server.close())

const endpoints = [
  ['App Service', APP_SERVICE, identityHeader],
  ['IMDS', IMDS, metadata],
] as const

describe.each(endpoints)('the gate before the %s form', (_name, path, headers) => {
  const refused = async (extra: Record<string, string | string[]>, reason: string) => {
    const before = target.events.length
    const answer = await target.get(path, { ...headers, ...extra })
    expect(answer.status).toBe(403)
    expect(answer.text).not.toContain('canary')
    expect(answer.headers.connection).toBe('close')
    expect(Object.keys(answer.headers).filter((it) => it.startsWith('access-control-'))).toEqual([])
    expect(target.events.slice(before)).toMatchObject([{ type: 'refused', reason, status: 403 }])
  }

  it('lets an ordinary request through', async () => {
    const { status, headers: got, json } = await target.get(path, headers)
    expect(status).toBe(200)
    expect(json.access_token).toMatch(/^token-\d+-canary$/)
    expect(got).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
    })
  })

  it.each([
    'attacker.example',
    'attacker.example:PORT',
    'attacker.example@127.0.0.1:PORT',
    'attacker.example, 127.0.0.1:PORT',
    '127.0.0.1',
    '127.0.0.1:PORT.',
    '127.0.0.1.:PORT',
    '127.1:PORT',
    'localhost:1',
    'localhost.:PORT',
  ])('I01 refuses Host: %s', (host) => refused({ host: host.replace('PORT', String(target.port)) }, 'host'))

  it.each(['localhost:PORT', 'LOCALHOST:PORT', '[::1]:PORT', '127.0.0.1:PORT'])('I01 takes Host: %s', async (host) => {
    const answer = await target.get(path, { ...headers, host: host.replace('PORT', String(target.port)) })
    expect(answer.status).toBe(200)
  })

  it.each([
    { origin: 'http://attacker.example' },
    { origin: 'null' },
    { referer: 'http://attacker.example/page' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-mode': 'navigate' },
    { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-dest': 'image' },
    { 'sec-fetch-site': 'cors' },
    { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, // an extension
  ])('I03 refuses what a web page sends: %j', (extra) => refused(extra as Record<string, string>, 'browser'))

  it.each(['x-forwarded-for', 'x-forwarded-host', 'forwarded', 'via', 'x-real-ip'])('I05 refuses %s', (name) =>
    refused({ [name]: '127.0.0.1' }, 'forwarded'),
  )

  it.each(['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])(
    'I26 refuses %s, and says what goes',
    async (method) => {
      const answer = await target.get(path, headers, method)
      expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET' } })
    },
  )

  it('I06 refuses a preflight without a word of CORS', async () => {
    const preflight = {
      origin: 'https://attacker.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'metadata',
      'access-control-request-private-network': 'true',
    }
    const answer = await target.get(path, preflight, 'OPTIONS')
    expect(answer.status).toBe(403)
    expect(Object.keys(answer.headers).filter((it) => it.startsWith('access-control-'))).toEqual([])
  })

  it('I09 knows no other path', async () => {
    const [real = ''] = path.split('?')
    const query = path.slice(real.length)
    const tricks = [
      `/${real}`,
      `${real}//`,
      real.replace('/token', '//token'),
      real.replace('/token', '%2ftoken'),
      real.replace('/token', '/./token'),
      real.replace('/token', '/x/../token'),
      real.replace('token', 'toke%6e'),
      real.replace('token', 'TOKEN'),
      `${real}%00`,
      `${real};x`,
      `http://127.0.0.1:${target.port}${real}`,
      '/',
    ]
    for (const trick of tricks) expect([trick, (await target.get(trick + query, headers)).status]).toEqual([trick, 404])
  })

  it.each([
    ['Host: attacker.example', 'host'],
    ['Origin: http://attacker.example', 'browser'],
    ['X-Forwarded-For: 192.0.2.1', 'forwarded'],
  ])('I01 I03 I05 sees %s behind 2100 other headers', async (hidden, reason) => {
    const [line] = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n${line}\r\n${'a:\r\n'.repeat(2100)}`
    expect(await target.raw(`${head}${hidden}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /)
    expect(target.events.at(-1)).toMatchObject({ reason })
  })

  it('I26 gates what expects something, too', async () => {
    const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\nExpect: something\r\n`
    expect(await target.raw(`${head}Origin: null\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /)
  })

  it('I26 takes no body', async () => {
    const [line] = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n${line}\r\n`
    expect(await target.raw(`${head}Content-Length: 1\r\n\r\nx`)).toMatch(/^HTTP\/1\.1 400 /)
    expect(await target.raw(`${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /)
    expect(await target.raw(`${head}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /)
    expect(await target.raw(`${head}Content-Length: 0\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('I26 answers pipelined requests in order, each on its own merits', async () => {
    const [line] = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n${line}\r\n`
    const answers = await target.raw(`${head}\r\n${head}Origin: null\r\n\r\n`)
    expect([...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '403'])
  })
})

describe('the gate', () => {
  it('I01 wants exactly one Host', async () => {
    const ours = `Host: 127.0.0.1:${target.port}\r\n`
    const tail = 'metadata: true\r\nConnection: close\r\n\r\n'
    expect(await target.raw(`GET ${IMDS} HTTP/1.1\r\n${ours}${ours}${tail}`)).toMatch(/^HTTP\/1\.1 403 /)
    expect(await target.raw(`GET ${IMDS} HTTP/1.1\r\n${tail}`)).toMatch(/^HTTP\/1\.1 403 /)
    expect(await target.raw(`GET ${IMDS} HTTP/1.1\r\nHost:\r\n${tail}`)).toMatch(/^HTTP\/1\.1 403 /)
    expect(await target.raw(`GET ${IMDS} HTTP/1.0\r\n${tail}`)).toMatch(/^HTTP\/1\.1 403 /)
  })

  it('I26 tunnels and upgrades nothing', async () => {
    const host = `Host: 127.0.0.1:${target.port}\r\n`
    expect(await target.raw(`CONNECT 127.0.0.1:22 HTTP/1.1\r\n${host}\r\n`)).toMatch(/^HTTP\/1\.1 405 /)
    const upgrade = 'metadata: true\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    expect(await target.raw(`GET ${IMDS} HTTP/1.1\r\n${host}${upgrade}`)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('lets a navigation that a person typed go no further than the secret', async () => {
    expect((await target.get(APP_SERVICE, { 'sec-fetch-site': 'none' })).status).toBe(401)
  })

  it("lets Node's own fetch through, which sends sec-fetch-mode", async () => {
    const url = `http://127.0.0.1:${target.port}${IMDS}`
    expect(await runFixture('fetch-as.mjs', [url, 'metadata', 'true'])).toMatchObject({ status: 200 })
  })

  it('NL tells nothing secret in events', () => {
    expect(target.events.length).toBeGreaterThan(50)
    expect(JSON.stringify(target.events)).not.toMatch(/canary|identity-header-of/)
  })

  it('knows the port that clients leave out', () => {
    expect([...authoritiesOf('127.0.0.5', 80)]).toEqual([
      ...['127.0.0.5', '127.0.0.5:80', '127.0.0.1', '127.0.0.1:80', 'localhost', 'localhost:80', '[::1]', '[::1]:80'],
    ])
    expect([...authoritiesOf('::1', 8080)]).toEqual(['[::1]:8080', '127.0.0.1:8080', 'localhost:8080'])
  })
})
