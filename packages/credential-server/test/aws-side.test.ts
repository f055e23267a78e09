import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type AwsInit, createCredentialServer } from '../src/index.ts'
import {
  authorization,
  CONTAINER_PATH,
  CREDENTIALS_PATH,
  ROLE,
  ROLES_PATH,
  SECRET,
  startAwsServer,
  TOKEN,
  testProvider,
} from './aws-helpers.ts'
import { runFixture } from './child.ts'
import { get, metadata, testCredential } from './helpers.ts'

const HOUR = 3_600_000

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aws-side-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('createCredentialServer with AWS', () => {
  it('has an environment for SDKs', async () => {
    const target = await startAwsServer()
    expect(target.server.environment()).toEqual({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${target.port}/`,
      AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'IPv4',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${target.port}${CONTAINER_PATH}`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: SECRET,
    })
    await target.server.close()
    const six = await startAwsServer({ host: '::1' })
    expect(six.server.environment()).toMatchObject({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://[::1]:${six.port}/`,
      AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'IPv6',
    })
    expect((await six.read(CREDENTIALS_PATH)).status).toBe(200)
    await six.server.close()
  })

  it('serves several roles: IMDS lists the first, and has each by its name', async () => {
    const aws: AwsInit[] = [
      { roleName: 'container-only', provider: testProvider(), imds: false, container: {} },
      { roleName: 'first', provider: testProvider() },
      { roleName: 'second', provider: testProvider(HOUR / 2), container: {} },
      { roleName: 'third', provider: testProvider() },
    ]
    const server = createCredentialServer({ aws, azure: { credential: testCredential(), imds: true } })
    const { host, port } = await server.listen()
    const token = (await get(host, port, '/latest/api/token', {}, 'PUT')).text
    const read = (path: string) => get(host, port, path, { [TOKEN]: token })
    expect((await read(ROLES_PATH)).text).toBe('first')
    expect((await read(`${ROLES_PATH}/second`)).json).toMatchObject({ Code: 'Success' })
    expect((await read(`${ROLES_PATH}/third`)).status).toBe(200)
    expect((await read(`${ROLES_PATH}/container-only`)).status).toBe(404)
    expect(Object.keys(server.environment()).filter((it) => it.startsWith('AWS_'))).toEqual([
      'AWS_CONTAINER_CREDENTIALS_FULL_URI',
      'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    ])
    expect(Object.keys(server.environment('first')).filter((it) => it.startsWith('AWS_'))).toEqual([
      'AWS_EC2_METADATA_SERVICE_ENDPOINT',
      'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE',
    ])
    const second = server.environment('second')
    expect(second.AWS_CONTAINER_CREDENTIALS_FULL_URI).toBe(`http://127.0.0.1:${port}/container/second`)
    expect(second.AWS_CONTAINER_AUTHORIZATION_TOKEN).not.toBe(server.environment().AWS_CONTAINER_AUTHORIZATION_TOKEN)
    const others = { authorization: second.AWS_CONTAINER_AUTHORIZATION_TOKEN! }
    expect((await get(host, port, '/container/second', others)).status).toBe(200)
    expect((await get(host, port, '/container/container-only', others)).status).toBe(401)
    expect(() => server.environment('third')).toThrow(TypeError)
    expect(() => server.environment('unknown')).toThrow(TypeError)
    expect((await get(host, port, '/metadata/identity/oauth2/token', metadata)).status).toBe(400)
    await server.close()
  })

  it('does not listen without a first session', async () => {
    const provider = testProvider()
    provider.failWith = Object.assign(new Error('canary'), { code: 'ERR_RA_UNREACHABLE' })
    const server = createCredentialServer({ aws: { provider, roleName: ROLE } })
    expect(server.health()).toEqual([{ roleName: ROLE, isFailing: false }])
    await expect(server.listen()).rejects.toMatchObject({
      code: 'ERR_SERVER_CREDENTIAL',
      message: `no session of ${ROLE}: the credential has no token now (ERR_RA_UNREACHABLE)`,
      cause: provider.failWith,
    })
    expect(() => server.environment()).toThrow('does not listen')
    await server.close()
  })

  it('I16 listens without one where it is lazy: 503, and no empty success', async () => {
    const target = await startAwsServer({ aws: { lazy: true } })
    expect(target.provider.calls).toBe(0)
    target.provider.failWith = new Error('canary')
    const down = await target.read(CREDENTIALS_PATH)
    expect(down).toMatchObject({ status: 503, text: 'the credential failed', headers: { 'retry-after': '30' } })
    expect(await target.get(CONTAINER_PATH, authorization)).toMatchObject({
      status: 503,
      json: { code: 'ServiceUnavailable', message: 'the credential failed' },
    })
    expect(target.provider.calls).toBe(1)
    expect(target.events).toMatchObject([
      { type: 'refresh-failed', reason: 'credential', status: 503, roleName: ROLE },
      { type: 'refused', reason: 'credential', status: 503, route: 'aws-imds-credentials' },
      { type: 'refused', reason: 'credential', status: 503, route: 'aws-container' },
    ])
    await target.server.close()
  })

  it('I15 I16 serves the last good set until its true expiry, then 503, then the next', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const clock = () => now
    const target = await startAwsServer({ clock }, testProvider(HOUR, clock))
    const first = (await target.read(CREDENTIALS_PATH)).text
    expect(target.server.health()).toEqual([{ roleName: ROLE, isFailing: false, expiresAt: now + HOUR }])
    target.provider.failWith = new Error('down')
    for (const left of [HOUR / 2, 599_000, 60_000, 1000]) {
      now = Date.parse('2026-01-01T01:00:00Z') - left
      expect(await target.read(CREDENTIALS_PATH)).toMatchObject({ status: 200, text: first })
    }
    expect(target.server.health()).toEqual([{ roleName: ROLE, isFailing: true, expiresAt: now + 1000 }])
    now += 1
    expect((await target.read(CREDENTIALS_PATH)).status).toBe(503)
    expect(target.server.health()).toEqual([{ roleName: ROLE, isFailing: true }])
    target.provider.failWith = undefined
    now += 30_000
    expect((await target.read(CREDENTIALS_PATH)).json).toMatchObject({ Expiration: '2026-01-01T02:00:29Z' })
    await target.server.close()
  })

  it('I17 I18 answers 500 at a time with whole sets, and asks upstream once a set', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const clock = () => now
    const target = await startAwsServer({ clock }, testProvider(HOUR, clock))
    for (let round = 1; round <= 10; round++) {
      const token = (await target.put()).text
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, i) =>
          i % 2 === 0 ? target.get(CREDENTIALS_PATH, { [TOKEN]: token }) : target.get(CONTAINER_PATH, authorization),
        ),
      )
      for (const { status, json } of answers) {
        const numbers = [json.AccessKeyId, json.SecretAccessKey, json.Token].map((it) => it?.slice(-6))
        expect([status, numbers]).toEqual([200, Array(3).fill(String(round).padStart(6, '0'))])
      }
      expect(target.provider.calls).toBe(round)
      now += HOUR
    }
    await target.server.close()
  })

  it('I19 gets the next session though nobody asks; if it is lazy, once somebody did', async () => {
    const [eager, lazy] = [testProvider(2000), testProvider(2000)]
    const server = createCredentialServer({
      aws: [
        { roleName: 'eager', provider: eager },
        { roleName: 'lazy', provider: lazy, lazy: true, container: { authorizationToken: SECRET } },
      ],
    })
    const { host, port } = await server.listen()
    while (eager.calls < 3) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(lazy.calls).toBe(0)
    expect((await get(host, port, '/container/lazy', authorization)).status).toBe(200)
    while (lazy.calls < 3) await new Promise((resolve) => setTimeout(resolve, 20))
    await server.close()
  })

  it('I10 takes no token of another user', async () => {
    const isRoot = process.getuid!() === 0 // only root can be somebody else
    const other = isRoot ? 65_534 : process.getuid!()
    const target = await startAwsServer({ allowedUids: [other] })
    const token = (await target.put()).text
    const args = [`http://127.0.0.1:${target.port}${CREDENTIALS_PATH}`, TOKEN, token]
    expect(await runFixture('fetch-as.mjs', args)).toMatchObject({ status: 200 })
    if (isRoot) {
      expect(await runFixture('fetch-as.mjs', args, { uid: other })).toEqual({
        status: 401,
        body: 'invalid token provided',
        uid: other,
      })
      expect(target.events).toMatchObject([{ reason: 'token', status: 401, uid: other }])
    }
    await target.server.close()
  })

  it('has its secret in a file while it listens', async () => {
    const tokenFile = join(folder, 'token')
    const target = await startAwsServer({ aws: { container: { tokenFile } } })
    const environment = target.server.environment()
    expect(environment).toMatchObject({ AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile })
    expect(environment).not.toHaveProperty('AWS_CONTAINER_AUTHORIZATION_TOKEN')
    expect((await stat(tokenFile)).mode & 0o777).toBe(0o600)
    const secret = await readFile(tokenFile, 'utf8')
    expect((await target.get(CONTAINER_PATH, { authorization: secret })).status).toBe(200)
    await target.server.close()
    expect(await readdir(folder)).toEqual([])
  })

  it('is closed, and leaves no file, where it can not write one', async () => {
    const containers = ['a', 'none/b'].map((it) => ({ tokenFile: join(folder, it) }))
    const aws = containers.map((container, i) => ({ roleName: `r${i}`, provider: testProvider(), container }))
    const server = createCredentialServer({ aws })
    await expect(server.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_TOKEN_FILE' })
    expect(await readdir(folder)).toEqual([])
    await server.close()
  })

  it('stops waiting for a first session when it is closed', async () => {
    let asked = (): void => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const provider = () => {
      asked()
      return new Promise<never>(() => {})
    }
    const server = createCredentialServer({ aws: { provider, roleName: ROLE } })
    const listening = server.listen()
    await isAsked
    await server.close()
    await expect(listening).rejects.toMatchObject({ code: 'ERR_SERVER_STATE' })
  })

  const good: AwsInit = { provider: testProvider(), roleName: ROLE }
  it.each<[string, AwsInit | AwsInit[]]>([
    ['"aws" is empty', []],
    ['"aws.provider"', { ...good, provider: undefined as unknown as AwsInit['provider'] }],
    ['"aws.roleName"', { ...good, roleName: '' }],
    ['"aws.roleName"', { ...good, roleName: '..' }],
    ['"aws.roleName"', { ...good, roleName: 'path/role' }],
    ['"aws.roleName"', { ...good, roleName: 'x'.repeat(65) }],
    ['"aws.roleName" is there twice', [good, good]],
    ['"aws.roleArn"', { ...good, roleArn: 'role' }],
    ['"aws.container" is needed', { ...good, imds: false }],
    ['"aws.container.authorizationToken"', { ...good, container: { authorizationToken: 'short' } }],
    ['"aws.container.authorizationToken"', { ...good, container: { authorizationToken: `${SECRET}\r\n` } }],
    ['"aws.container.tokenFile"', { ...good, container: { tokenFile: 'relative' } }],
    ['"aws.container.path"', { ...good, container: { path: 'relative' } }],
    ['"aws.container.path"', { ...good, container: { path: '/' } }],
    ['"aws.container.path"', { ...good, container: { path: '/a/../b' } }],
    ['"aws.container.path"', { ...good, container: { path: '/a?b' } }],
    ['"aws.container.path"', { ...good, container: { path: '/latest/api/token' } }],
    ['"aws.container.path"', { ...good, container: { path: '/msi/token' } }],
    [
      '"aws.container.path" is there twice',
      ['a', 'b'].map((roleName) => ({ ...good, roleName, container: { path: '/same' } })),
    ],
    [
      '"aws.container.tokenFile" is there twice',
      ['a', 'b'].map((roleName) => ({ ...good, roleName, container: { tokenFile: '/run/same' } })),
    ],
  ])('refuses a bad option: %s', (text, aws) => {
    expect(() => createCredentialServer({ aws })).toThrow(text)
  })

  it('refuses to serve nothing', () => {
    expect(() => createCredentialServer({})).toThrow('"aws" or "azure" is needed')
  })
})
