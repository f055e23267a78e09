import type { TestAws } from '@hardbound/testkit'
import {
  type AwsInit,
  type CredentialServer,
  type CredentialServerEvent,
  type CredentialServerInit,
  createCredentialServer,
} from '../src/index.ts'
import { get, raw, type TestAnswer } from './helpers.ts'

export const ROLE = 'ExampleS3WriteRole'
export const ROLE_ARN = `arn:aws:iam::111122223333:role/${ROLE}`
export const TOKEN_PATH = '/latest/api/token'
export const ROLES_PATH = '/latest/meta-data/iam/security-credentials'
export const CREDENTIALS_PATH = `${ROLES_PATH}/${ROLE}`
export const CONTAINER_PATH = `/container/${ROLE}`
export const SECRET = 'authorization-token-canary'
export const TTL = 'x-aws-ec2-metadata-token-ttl-seconds'
export const TOKEN = 'x-aws-ec2-metadata-token'
export const authorization = { authorization: SECRET }

/** A provider whose sessions are numbered: all three parts of one carry its number. */
export interface TestProvider {
  (): Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken: string; expiration: Date }>
  calls: number
  lifetimeMs: number
  failWith: unknown
}

export function testProvider(lifetimeMs = 3_600_000, clock: () => number = Date.now): TestProvider {
  const state = { calls: 0, lifetimeMs, failWith: undefined as unknown }
  const next = async () => {
    provider.calls++
    if (provider.failWith !== undefined) throw provider.failWith
    const number = String(provider.calls).padStart(6, '0')
    return {
      accessKeyId: `ASIACANARY${number}`,
      secretAccessKey: `secret-canary-${number}`,
      sessionToken: `session-canary-${number}`,
      expiration: new Date(clock() + provider.lifetimeMs),
    }
  }
  const provider: TestProvider = Object.assign(next, state)
  return provider
}

/** A provider whose sessions the emulated STS knows; the n-th is called `s<n>`. */
export function stsProvider(aws: TestAws, seconds: number, roleArn = ROLE_ARN): AwsInit['provider'] {
  let count = 0
  return async () => {
    const expiresAtMs = (Math.floor(Date.now() / 1000) + seconds) * 1000
    const name = `s${++count}`
    const { accessKeyId, secretAccessKey, session } = aws.openRoleSession({
      roleArn,
      roleSessionName: name,
      expiresAtMs,
      policies: [],
      tags: [],
      transitiveTagKeys: [],
    })
    return { accessKeyId, secretAccessKey, sessionToken: session.token, expiration: new Date(expiresAtMs) }
  }
}

export interface AwsTestServer {
  server: CredentialServer
  provider: TestProvider
  events: CredentialServerEvent[]
  host: string
  port: number
  get(path: string, headers?: Record<string, string | string[]>, method?: string): Promise<TestAnswer>
  put(path?: string, headers?: Record<string, string | string[]>): Promise<TestAnswer>
  /** GET with a fresh session token. */
  read(path: string): Promise<TestAnswer>
  raw(text: string): Promise<string>
}

export async function startAwsServer(
  { aws, ...rest }: Omit<CredentialServerInit, 'aws'> & { aws?: Partial<AwsInit> } = {},
  provider = testProvider(),
): Promise<AwsTestServer> {
  const events: CredentialServerEvent[] = []
  const server = createCredentialServer({
    aws: { provider, roleName: ROLE, container: { authorizationToken: SECRET }, ...aws },
    onEvent: (event) => events.push(event),
    ...rest,
  })
  const { host, port } = await server.listen()
  const target: AwsTestServer = {
    server,
    provider,
    events,
    host,
    port,
    get: (path, headers, method) => get(host, port, path, headers, method),
    put: (path = TOKEN_PATH, headers = { [TTL]: '60' }) => get(host, port, path, headers, 'PUT'),
    read: async (path) => target.get(path, { [TOKEN]: (await target.put()).text }),
    raw: (text) => raw(host, port, text),
  }
  return target
}
