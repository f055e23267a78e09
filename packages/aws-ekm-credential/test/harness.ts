import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGoogleVerifier, createRemoteKeySet } from '@hardbound/attestation-verify'
import {
  compilePolicy,
  createAwsIssuer,
  createBroker,
  createBrokerServer,
  createFileAuditSink,
} from '@hardbound/broker-core'
import {
  createTestPki,
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestLauncher,
  type TestPki,
} from '@hardbound/testkit'
import { confidentialSpaceLauncher, type FromEkmInit } from '../src/index.ts'

export const AUDIENCE = 'https://broker.example.com'
export const ACCOUNT = '111122223333'
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/reader`
export const IMAGE = `sha256:${'a1'.repeat(32)}`
export const REGION = 'eu-west-1'
/** The broker's own identity at the emulated AWS. */
export const BROKER_USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  arn: `arn:aws:iam::${ACCOUNT}:user/broker`,
}

/** A workload's surroundings: launcher, broker and AWS, all on loopback. */
export interface Harness {
  pki: TestPki
  launcher: TestLauncher
  aws: TestAws
  /** Whom to trust, and where. */
  broker: FromEkmInit['broker']
  /** Options of an honest workload, and what a test wants otherwise. */
  init(other?: Partial<FromEkmInit>): FromEkmInit
  /** What the broker has recorded, oldest first. */
  records(): Promise<{ event: string; protocol?: string; reason?: string }[]>
  close(): Promise<void>
}

/** A whole broker: real TLS, verifier, policy, STS client and audit file. */
export async function startHarness(
  o: { role?: string; clientCa?: boolean; dnsOnly?: boolean; duration?: number } = {},
): Promise<Harness> {
  const role = o.role ?? ROLE
  const [pki, issuer, aws, folder] = await Promise.all([
    createTestPki(),
    startIssuer(),
    startAws(),
    mkdtemp(join(tmpdir(), 'hardbound-aws-')),
  ])
  const claims = { submods: { container: { image_digest: IMAGE } } }
  const launcher = await startLauncher({ issuer, claims })
  aws.addUser(BROKER_USER)
  aws.addRole({ arn: role, trusts: [BROKER_USER.arn], externalId: 'hardbound' })
  aws.addBucket('reports', { 'one.txt': 'first report', 'two.txt': 'second report' })

  const audit = await createFileAuditSink({ path: join(folder, 'audit.jsonl') })
  const cloud = createAwsIssuer({ regions: [REGION], endpoint: aws.endpoint, credentials: BROKER_USER })
  const grant = { role_arn: role, external_id: 'hardbound', max_duration_seconds: o.duration ?? 3600 }
  const rule = { id: 'reader', workload: { image_digests: [IMAGE] }, protocols: ['v2', 'go-v1'], grant: { aws: grant } }
  const broker = createBroker({
    verifier: createGoogleVerifier({ keys: createRemoteKeySet({ url: issuer.jwksUrl, ca: issuer.caPem }) }),
    policy: compilePolicy({ version: 1, aws: { account_id: ACCOUNT }, rules: [rule] }),
    issuers: [cloud],
    audit,
    audience: AUDIENCE,
    goV1: {},
  })
  const ip = o.dnsOnly === true ? {} : { ip: ['127.0.0.1'] }
  const own = await pki.issue({ commonName: 'broker', dns: ['broker.example.com'], ...ip })
  const server = createBrokerServer({
    broker,
    tls: { cert: own.certPem, key: own.keyPem, ...(o.clientCa === true ? { clientCa: pki.caPem } : {}) },
    limits: { requestsPerSecond: 100_000 },
  })
  const { port } = await server.listen(0)
  const trusted = { url: 'https://broker.example.com', address: `127.0.0.1:${port}`, ca: pki.caPem }

  return {
    pki,
    launcher,
    aws,
    broker: trusted,
    init: (other) => ({
      broker: trusted,
      audience: AUDIENCE,
      roleArn: role,
      attestation: confidentialSpaceLauncher({ socketPath: launcher.socketPath }),
      ...other,
    }),
    async records() {
      const text = await readFile(join(folder, 'audit.jsonl'), 'utf8')
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { event: string })
    },
    async close() {
      await server.close(0)
      cloud.close()
      await Promise.all([audit.close(), launcher.close(), issuer.close(), aws.close()])
      await rm(folder, { recursive: true })
    },
  }
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string; tryNextLink?: boolean }> {
  const nothing = Symbol('fulfilled')
  const error = await promise.then(
    () => nothing,
    (it: unknown) => it,
  )
  if (error === nothing || !(error instanceof Error)) throw new TypeError('expected a rejection with an Error')
  return error
}
