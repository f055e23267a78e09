import type { AddressInfo } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { createGoogleVerifier, createRemoteKeySet } from '@hardbound/attestation-verify'
import { bindingNonce, type Channel, captureChannel, GO_V1_EXPORTER, goV1Nonces } from '@hardbound/ekm-tls'
import { signGoV1Token } from '@hardbound/ekm-tls/client'
import { createTestPki, startIssuer, type TestIssuer, type TestPki } from '@hardbound/testkit'
import {
  type AuditRecord,
  type AuditSink,
  type AwsGrant,
  type AzureGrant,
  type BrokerServerInit,
  type CredentialIssuer,
  compilePolicy,
  createBroker,
  createBrokerServer,
} from '../src/index.ts'

export const AUDIENCE = 'https://broker.example.com'
export const ROLE = 'arn:aws:iam::111122223333:role/reader'
export const IMAGE = `sha256:${'a1'.repeat(32)}`

/** The claims that the policy below lets through. */
export const WORKLOAD = { submods: { container: { image_digest: IMAGE }, gce: { project_number: '1234567890' } } }

export const POLICY = {
  version: 1,
  aws: { account_id: '111122223333' },
  rules: [
    {
      id: 'reader',
      workload: { image_digests: [IMAGE], project_numbers: ['1234567890'] },
      protocols: ['v2', 'go-v1'],
      grant: { aws: { role_arn: ROLE, max_duration_seconds: 3600 } },
    },
  ],
}

/** Strings that must never be seen outside of an answer. */
export const SECRETS = {
  secretAccessKey: 'canary/SecretAccessKey/0123456789abcdefgh',
  sessionToken: 'canarySessionToken0123456789',
  accessToken: 'canaryAccessToken0123456789',
}

export interface Harness {
  pki: TestPki
  issuer: TestIssuer
  port: number
  records: AuditRecord[]
  /** Grants that reached the cloud issuer. */
  grants: AwsGrant[]
  azureGrants: AzureGrant[]
  connectionErrors: { reason: string }[]
  /** Replaces what the cloud issuer does. */
  issue: CredentialIssuer['issue'] | undefined
  /** Replaces what the audit sink does. */
  append: AuditSink['append'] | undefined
  /** Ends as on SIGTERM. */
  drain(): Promise<void>
  close(): Promise<void>
}

/** A whole broker on loopback: real TLS, verifier and policy; the cloud and the audit sink are in memory. */
export async function startBroker(
  init: {
    policy?: object
    limits?: BrokerServerInit['limits']
    clientCa?: boolean
    refused?: string[]
    pki?: TestPki
    goV1?: { audience?: string }
    /** Of which there are issuers. Default: aws, azure. */
    targets?: string[]
  } = {},
): Promise<Harness> {
  const [pki, issuer] = await Promise.all([init.pki ?? createTestPki(), startIssuer()])
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', dns: ['broker.example.com'], ip: ['127.0.0.1'] })
  const keys = createRemoteKeySet({ url: issuer.jwksUrl, ca: issuer.caPem })
  const records: AuditRecord[] = []
  const grants: AwsGrant[] = []
  const azureGrants: AzureGrant[] = []
  const connectionErrors: { reason: string }[] = []
  const cloud: CredentialIssuer = {
    target: 'aws',
    async issue(grant, context) {
      grants.push(grant as AwsGrant)
      return harness.issue === undefined ? sessionFor(grant as AwsGrant) : harness.issue(grant, context)
    },
  }
  const azure: CredentialIssuer = {
    target: 'azure',
    async issue(grant) {
      azureGrants.push(grant as AzureGrant)
      const expiresAt = Math.floor(Date.now() / 1000) + 3599
      const body = { access_token: SECRETS.accessToken, token_type: 'Bearer', expires_on: expiresAt }
      return { body, expiresAt, audit: {} }
    },
  }
  const audit: AuditSink = {
    append: async (record) => (harness.append === undefined ? void records.push(record) : harness.append(record)),
    ready: () => true,
    close: async () => {},
  }
  const broker = createBroker({
    verifier: createGoogleVerifier({ keys }),
    policy: compilePolicy(init.policy ?? POLICY),
    issuers: [cloud, azure].filter(({ target }) => init.targets?.includes(target) ?? true),
    audit,
    audience: AUDIENCE,
    ...(init.goV1 === undefined ? {} : { goV1: init.goV1 }),
  })
  const server = createBrokerServer({
    broker,
    tls: {
      cert: certPem,
      key: keyPem,
      ...(init.clientCa === true ? { clientCa: pki.caPem } : {}),
      ...(init.refused === undefined ? {} : { refusedSpkiSha256: init.refused }),
    },
    onConnectionError: (event) => connectionErrors.push(event),
    limits: { requestsPerSecond: 100_000, ...init.limits },
  })
  const { port }: AddressInfo = await server.listen(0)
  const harness: Harness = {
    pki,
    issuer,
    port,
    records,
    grants,
    azureGrants,
    connectionErrors,
    issue: undefined,
    append: undefined,
    drain: () => server.close(),
    async close() {
      await server.close(0)
      await issuer.close()
    },
  }
  return harness
}

function sessionFor(grant: AwsGrant): Awaited<ReturnType<CredentialIssuer['issue']>> {
  const expiresAt = Math.floor(Date.now() / 1000) + grant.durationSeconds
  return {
    body: {
      Version: 1,
      AccessKeyId: 'ASIAIOSFODNN7EXAMPLE',
      SecretAccessKey: SECRETS.secretAccessKey,
      SessionToken: SECRETS.sessionToken,
      Expiration: new Date(expiresAt * 1000).toISOString(),
      AssumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/reader/hb-1',
    },
    expiresAt,
    audit: { aws_access_key_id: 'ASIAIOSFODNN7EXAMPLE' },
  }
}

export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

/** A client with its own TLS socket, for doing what a well-behaved one would not. */
export interface RawClient {
  socket: TLSSocket
  channel: Channel
  goV1Ekm: Uint8Array
  write(text: string | Buffer): void
  /** The next answer; rejects when the connection ends first. */
  answer(): Promise<Answer>
  /** Settles when the connection has ended. */
  ended: Promise<void>
  destroy(): void
}

export async function connectRaw(
  { pki, port }: Pick<Harness, 'pki' | 'port'>,
  options: ConnectionOptions = {},
): Promise<RawClient> {
  const socket = tlsConnect({ port, host: '127.0.0.1', ca: pki.caPem, ALPNProtocols: ['http/1.1'], ...options })
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  socket.on('error', () => {})
  const channel = captureChannel(socket, 'client')
  let received = Buffer.alloc(0)
  let wake = (): void => {}
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  socket.on('close', () => wake())
  const answer = async (): Promise<Answer> => {
    for (;;) {
      const taken = takeAnswer(received)
      if (taken !== undefined) {
        received = received.subarray(taken.size)
        return taken.answer
      }
      if (socket.destroyed) throw new Error('the connection ended without an answer')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    socket,
    channel,
    goV1Ekm: captureChannel(socket, 'client', GO_V1_EXPORTER).ekm,
    write: (text) => void socket.write(text),
    answer,
    ended,
    destroy: () => socket.destroy(),
  }
}

function takeAnswer(received: Buffer): { answer: Answer; size: number } | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [statusLine, ...lines] = received.subarray(0, end).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((it) => [it.slice(0, it.indexOf(':')).toLowerCase(), it.slice(it.indexOf(':') + 2)]),
  )
  const status = Number(statusLine!.split(' ')[1])
  if (status === 100) return takeAnswer(received.subarray(end + 4))
  const size = end + 4 + Number(headers['content-length'] ?? 0)
  if (received.length < size) return undefined
  return { answer: { status, headers, body: received.subarray(end + 4, size).toString() }, size }
}

export interface Attested {
  /** JSON text of the request. Default: the role of the policy for an hour. */
  request?: string
  claims?: object
  audience?: string
  /** Default: the nonce for this client and this request. */
  nonces?: string[]
}

/** A v2 body, honest unless told otherwise. */
export function v2Body(
  { issuer }: Pick<Harness, 'issuer'>,
  { channel }: Pick<RawClient, 'channel'>,
  it: Attested = {},
): string {
  const request = it.request ?? JSON.stringify({ target: 'aws', role_arn: ROLE, duration_seconds: 3600 })
  const attestation = issuer.token({
    audience: it.audience ?? AUDIENCE,
    nonces: it.nonces ?? [bindingNonce(channel, Buffer.from(request))],
    claims: { ...WORKLOAD, ...it.claims },
  })
  return JSON.stringify({ attestation, request })
}

/** A Go-v1 body, honest unless told otherwise. */
export function goV1Body(
  { issuer }: Pick<Harness, 'issuer'>,
  { goV1Ekm }: Pick<RawClient, 'goV1Ekm'>,
  it: {
    request?: Readonly<Record<string, unknown>>
    claims?: object
    audience?: string
    nonces?: (nonces: string[]) => string[]
    key?: Uint8Array
  } = {},
): string {
  const request: Readonly<Record<string, unknown>> = it.request ?? {
    use_assume_role: true,
    access_key_id: '',
    role_arn: ROLE,
    region: '',
    duration: 900,
    session_name: 'x',
    ...it.claims,
  }
  const tokenJwt = signGoV1Token(request, it.key ?? goV1Ekm)
  const nonces = goV1Nonces(goV1Ekm, tokenJwt)
  const attestation = issuer.token({
    audience: it.audience ?? AUDIENCE,
    nonces: it.nonces?.(nonces) ?? nonces,
    claims: WORKLOAD,
  })
  return JSON.stringify({ token_jwt: tokenJwt, attestation_jwt: attestation })
}

/** An HTTP request as text. */
export function http(
  body: string,
  init: { path?: string; method?: string; headers?: Record<string, string | undefined> } = {},
): string {
  const headers = {
    host: 'broker.example.com',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...init.headers,
  }
  const lines = Object.entries(headers).filter(([, value]) => value !== undefined)
  return `${init.method ?? 'POST'} ${init.path ?? '/v2/credentials'} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body}`
}

/** One honest connection with one body; the client is gone afterwards. */
export async function ask(harness: Harness, bodyOf: (client: RawClient) => string, path?: string): Promise<Answer> {
  const client = await connectRaw(harness)
  client.write(http(bodyOf(client), path === undefined ? {} : { path }))
  try {
    return await client.answer()
  } finally {
    client.destroy()
  }
}

/** The code of a refusal, whose body is exactly what the protocol says. */
export function refusalOf({ status, headers, body }: Answer): string {
  const { error, ...rest } = JSON.parse(body) as { error: { code: string; request_id: string } }
  if (Object.keys(rest).length > 0 || Object.keys(error).join() !== 'code,request_id')
    throw new Error(`not a refusal: ${body}`)
  if (headers['cache-control'] !== 'no-store' || headers['content-type'] !== 'application/json')
    throw new Error('wrong headers')
  return `${status} ${error.code}`
}
