import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGoogleVerifier, createRemoteKeySet } from '@hardbound/attestation-verify'
import { confidentialSpaceLauncher } from '@hardbound/aws-ekm-credential'
import {
  type BrokerServer,
  createAwsIssuer,
  createBroker,
  createBrokerServer,
  createFileAuditSink,
  loadPolicy,
} from '@hardbound/broker-core'
import {
  createTestPki,
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestIssuer,
  type TestLauncher,
} from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { main, type Setting } from '../src/main.ts'

const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), 'utf8')
const ROLE = 'arn:aws:iam::111122223333:role/report-reader'
const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/broker',
}

let folder: string
let issuer: TestIssuer
let launcher: TestLauncher
let aws: TestAws
let server: BrokerServer
let close: () => Promise<void>
let env: Record<Setting, string>
/** The README's policy, which the broker below runs. */
let policy: string

beforeAll(async () => {
  const pki = await createTestPki()
  ;[issuer, aws] = await Promise.all([startIssuer(), startAws()])
  launcher = await startLauncher({ issuer })
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  aws.addBucket('reports', { '2026/july.csv': '1', '2026/august.csv': '2' })
  aws.addBucket('private', { 'secret.txt': '3' })
  folder = await mkdtemp(join(tmpdir(), 'hardbound-workload-'))
  policy = /```yaml\n([\s\S]*?)```/.exec(await read('../README.md'))![1]!
  const audit = await createFileAuditSink({ path: join(folder, 'audit.jsonl') })
  const cloud = createAwsIssuer({ regions: ['eu-west-1'], endpoint: aws.endpoint, credentials: USER })
  const broker = createBroker({
    verifier: createGoogleVerifier({ keys: createRemoteKeySet({ url: issuer.jwksUrl, ca: issuer.caPem }) }),
    policy: loadPolicy(policy),
    issuers: [cloud],
    audit,
    audience: 'https://broker.example.com',
  })
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', ip: ['127.0.0.1'] })
  server = createBrokerServer({ broker, tls: { cert: certPem, key: keyPem } })
  const { port } = await server.listen(0)
  await writeFile(join(folder, 'broker-ca.pem'), pki.caPem)
  env = {
    AUDIENCE: 'https://broker.example.com',
    AWS_REGION: 'eu-west-1',
    BUCKET: 'reports',
    HARDBOUND_BROKER: `https://127.0.0.1:${port}`,
    HARDBOUND_BROKER_CA: join(folder, 'broker-ca.pem'),
    ROLE_ARN: ROLE,
  }
  close = async () => {
    await server.close(0)
    cloud.close()
    await Promise.all([audit.close(), launcher.close(), issuer.close(), aws.close()])
    await rm(folder, { recursive: true })
  }
})
afterAll(() => close())
beforeEach(() => {
  process.env.AWS_ENDPOINT_URL_S3 = aws.endpoint
  launcher.claims = claims({ BUCKET: 'reports', AWS_REGION: 'eu-west-1' })
})
afterEach(() => {
  delete process.env.AWS_ENDPOINT_URL_S3
})

/** What the launcher attests of a VM started as the README says, with these `tee-env-…`. */
const claims = (envOverride: object, digest = /sha256:[0-9a-f]{64}/.exec(policy)![0]): object => ({
  google_service_accounts: ['workload@example-project.iam.gserviceaccount.com'],
  submods: {
    container: { image_digest: digest, env_override: envOverride },
    gce: { project_number: '1234567890' },
  },
})
const run = (other: Partial<Record<Setting, string>> = {}): Promise<string[]> =>
  main({ ...env, ...other }, confidentialSpaceLauncher({ socketPath: launcher.socketPath }))

describe('the workload', () => {
  it('lists its bucket, with a session of its role', async () => {
    await expect(run()).resolves.toEqual(['2026/august.csv', '2026/july.csv'])
    expect(aws.calls.map((it) => it.action)).toEqual(['AssumeRole', 'ListObjectsV2'])
    expect(aws.calls.at(-1)!.principal).toMatch('arn:aws:sts::111122223333:assumed-role/report-reader/')
  })

  it('gets nothing when the operator chose another bucket', async () => {
    launcher.claims = claims({ BUCKET: 'private', AWS_REGION: 'eu-west-1' })
    await expect(run({ BUCKET: 'private' })).rejects.toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
  })

  it('can’t use its keys for another bucket', async () => {
    await expect(run({ BUCKET: 'private' })).rejects.toMatchObject({ name: 'AccessDenied' })
  })

  it('gets nothing from another image', async () => {
    launcher.claims = claims({ BUCKET: 'reports', AWS_REGION: 'eu-west-1' }, `sha256:${'0'.repeat(64)}`)
    await expect(run()).rejects.toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
  })

  it.each<Setting>(['AUDIENCE', 'AWS_REGION', 'BUCKET', 'HARDBOUND_BROKER', 'HARDBOUND_BROKER_CA', 'ROLE_ARN'])(
    'names %s where it is not set',
    async (name) => {
      await expect(run({ [name]: '' })).rejects.toThrow(new TypeError(`${name} is not set`))
    },
  )
})

describe('the image', () => {
  it('lets the operator set what the policy names, and nothing that decides whom to trust', async () => {
    const dockerfile = await read('../Dockerfile')
    const [, allowed] = /"tee\.launch_policy\.allow_env_override"="([^"]*)"/.exec(dockerfile)!
    const [, named] = /env_override: \{([^}]*)\}/.exec(policy)!
    expect([...named!.matchAll(/(\w+):/g)].map(([, name]) => name)).toEqual(allowed!.split(','))
    for (const name of Object.keys(env)) {
      expect([name, new RegExp(`^ +${name}=|^ENV ${name}=`, 'm').test(dockerfile)]).toEqual([
        name,
        !allowed!.split(',').includes(name),
      ])
    }
    expect(dockerfile).toMatch(/^USER node$/m)
    expect(dockerfile).not.toContain('allow_cmd_override"')
  })
})
