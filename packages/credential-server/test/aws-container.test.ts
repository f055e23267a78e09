import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  type AwsTestServer,
  authorization,
  CONTAINER_PATH,
  ROLE_ARN,
  SECRET,
  startAwsServer,
  testProvider,
} from './aws-helpers.ts'

const NOW = Date.parse('2026-11-21T12:00:00.900Z')
let target: AwsTestServer
beforeAll(async () => {
  const clock = () => NOW
  target = await startAwsServer({ clock }, testProvider(3_600_000, clock))
})
afterAll(() => target.server.close())

const KEYS = {
  AccessKeyId: 'ASIACANARY000001',
  SecretAccessKey: 'secret-canary-000001',
  Token: 'session-canary-000001',
  Expiration: '2026-11-21T13:00:00Z',
}

describe('the container form', () => {
  it('answers whoever has its secret', async () => {
    const answer = await target.get(CONTAINER_PATH, authorization)
    expect(answer).toMatchObject({ status: 200, json: KEYS })
    expect(Object.keys(answer.json)).toEqual(Object.keys(KEYS))
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
  })

  it('names the role, and answers at another path, where it is told to', async () => {
    const other = await startAwsServer({ aws: { roleArn: ROLE_ARN, container: { path: '/my/role' } } })
    const { AWS_CONTAINER_AUTHORIZATION_TOKEN, AWS_CONTAINER_CREDENTIALS_FULL_URI } = other.server.environment()
    expect(AWS_CONTAINER_AUTHORIZATION_TOKEN).toMatch(/^[\w-]{43}$/)
    expect(AWS_CONTAINER_CREDENTIALS_FULL_URI).toBe(`http://127.0.0.1:${other.port}/my/role`)
    const answer = await other.get('/my/role', { authorization: AWS_CONTAINER_AUTHORIZATION_TOKEN! })
    expect(answer.json).toMatchObject({ RoleArn: ROLE_ARN })
    expect((await other.get(CONTAINER_PATH, authorization)).status).toBe(404)
    await other.server.close()
  })

  it.each([
    ['none', {}],
    ['a wrong one', { authorization: 'authorization-token-others' }],
    ['a longer one', { authorization: `${SECRET}x` }],
    ['one with a scheme', { authorization: `Bearer ${SECRET}` }],
    ['an empty one', { authorization: '' }],
  ])('I10 refuses %s of its secret', async (_name, headers) => {
    const answer = await target.get(CONTAINER_PATH, headers as Record<string, string>)
    expect(answer).toMatchObject({
      status: 401,
      json: { code: 'AccessDenied', message: 'the authorization token is missing or wrong' },
    })
    expect(answer.text).not.toContain('canary')
    expect(target.events.at(-1)).toMatchObject({ reason: 'secret', status: 401, route: 'aws-container' })
  })

  it('I10 refuses two of its secret', async () => {
    const line = `Authorization: ${SECRET}\r\n`
    const head = `GET ${CONTAINER_PATH} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n`
    expect(await target.raw(`${head}${line}${line}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 401 /)
    expect(await target.raw(`${head}${line}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it.each([`${CONTAINER_PATH}/`, `/${CONTAINER_PATH}`, '/container/other', '/container/', `${CONTAINER_PATH}%00`])(
    'I09 has nothing at %s',
    async (path) => expect((await target.get(path, authorization)).status).toBe(404),
  )

  it.each(['HEAD', 'POST', 'PUT', 'OPTIONS'])('I26 refuses %s', async (method) =>
    expect(await target.get(CONTAINER_PATH, authorization, method)).toMatchObject({
      status: 405,
      headers: { allow: 'GET' },
    }),
  )

  it.each([{ host: 'attacker.example' }, { origin: 'null' }, { 'x-forwarded-for': '192.0.2.1' }])(
    'I01 I03 I05 refuses %j',
    async (extra) => {
      const headers = { ...authorization, ...extra } as Record<string, string>
      expect((await target.get(CONTAINER_PATH, headers)).status).toBe(403)
    },
  )

  it('runs where users are not told apart, as its secret guards it; IMDS does not', async () => {
    const other = await startAwsServer({ sameUserOnly: false, aws: { imds: false } })
    expect((await other.get(CONTAINER_PATH)).status).toBe(401)
    await other.server.close()
    await expect(startAwsServer({ sameUserOnly: false })).rejects.toThrow('"aws.imds" needs "sameUserOnly"')
  })
})
