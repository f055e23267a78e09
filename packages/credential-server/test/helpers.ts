import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { type CredentialServer, type CredentialServerEvent, createCredentialServer } from '../src/index.ts'
import type { AzureInit, CredentialServerInit } from '../src/types.ts'

export const CLIENT_ID = '66666666-7777-4888-8999-aaaaaaaaaaaa'
export const HEADER = 'identity-header-of-the-tests'
export const RESOURCE = 'https://storage.azure.com/'
export const IMDS = '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://storage.azure.com/'
export const APP_SERVICE = '/msi/token?api-version=2019-08-01&resource=https://storage.azure.com/'

/** A credential whose tokens are numbered and tell their scope. */
export interface TestCredential {
  getToken(scopes: string | string[]): Promise<{ token: string; expiresOnTimestamp: number }>
  scopes: string[]
  lifetimeMs: number
  failWith: unknown
}

export function testCredential(lifetimeMs = 3_600_000, clock: () => number = Date.now): TestCredential {
  return {
    scopes: [],
    lifetimeMs,
    failWith: undefined,
    async getToken(scopes) {
      this.scopes.push(String(scopes))
      if (this.failWith !== undefined) throw this.failWith
      return { token: `token-${this.scopes.length}-canary`, expiresOnTimestamp: clock() + this.lifetimeMs }
    },
  }
}

export interface TestServer {
  server: CredentialServer
  credential: TestCredential
  events: CredentialServerEvent[]
  port: number
  get(path: string, headers?: Record<string, string | string[]>, method?: string): Promise<TestAnswer>
  raw(text: string): Promise<string>
}

export interface TestAnswer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  json: Record<string, string>
}

type Overrides = Omit<Partial<CredentialServerInit>, 'azure'> & { azure?: Partial<AzureInit> }

export async function startServer(
  { azure, ...rest }: Overrides = {},
  credential = testCredential(),
): Promise<TestServer> {
  const events: CredentialServerEvent[] = []
  const server = createCredentialServer({
    azure: { credential, identityHeader: HEADER, clientId: CLIENT_ID, imds: true, ...azure },
    onEvent: (event) => events.push(event),
    ...rest,
  })
  const { host, port } = await server.listen()
  return {
    server,
    credential,
    events,
    port,
    get: (path, headers, method) => get(host, port, path, headers, method),
    raw: (text) => raw(host, port, text),
  }
}

export function get(
  host: string,
  port: number,
  path: string,
  headers: Record<string, string | string[]> = {},
  method = 'GET',
): Promise<TestAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, headers, method, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const json = text.startsWith('{') ? JSON.parse(text) : {}
        resolve({ status: answer.statusCode!, headers: answer.headers, text, json })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Sends octets as they are, and collects what comes until the server hangs up. */
export function raw(host: string, port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ host, port }, () => socket.write(text))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? undefined : reject(error)))
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()))
  })
}

export const metadata = { metadata: 'true' }
export const identityHeader = { 'x-identity-header': HEADER }
