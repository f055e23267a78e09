import { readFile } from 'node:fs/promises'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { createTestPki, startIssuer, startLauncher, type TestIssuer, type TestLauncher } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { confidentialSpaceLauncher, type FromEkmInit, fromEkm } from '../src/index.ts'
import { goV1Claims } from '../src/internal/go-v1-claims.ts'
import { ACCOUNT, AUDIENCE, type Harness, REGION, ROLE, rejection, startHarness } from './harness.ts'
import { keysFor, startScriptedBroker } from './scripted-broker.ts'

describe('goV1Claims', () => {
  it('always holds all six claims, with the Go programs’ types', () => {
    const { session_name, ...rest } = goV1Claims({}, undefined, 900)
    expect(session_name).toMatch(/^gcp-[0-9a-f-]{36}$/)
    expect(rest).toEqual({ use_assume_role: false, access_key_id: '', role_arn: '', region: '', duration: 900 })
  })
})

describe('every field of the Go programs’ CredConfig', () => {
  type Scripted = Awaited<ReturnType<typeof startScriptedBroker>>
  let scripted: Scripted
  let second: Scripted
  let issuer: TestIssuer
  let launcher: TestLauncher
  let elsewhere: TestLauncher
  let base: FromEkmInit
  let workload: { certPem: string; keyPem: string }
  let strangersCa: string

  beforeAll(async () => {
    const pki = await createTestPki()
    const answer = () => ({ body: { ...keysFor('reader', ACCOUNT), Version: 0, AssumedRoleArn: undefined } })
    ;[scripted, second, issuer] = await Promise.all([
      startScriptedBroker(pki, answer),
      startScriptedBroker(pki, answer),
      startIssuer(),
    ])
    ;[launcher, elsewhere] = await Promise.all([startLauncher({ issuer }), startLauncher({ issuer })])
    workload = await pki.issue({ commonName: 'workload', usage: 'client' })
    strangersCa = (await createTestPki()).caPem
    base = {
      protocol: 'go-v1',
      broker: scripted.broker,
      audience: AUDIENCE,
      attestation: confidentialSpaceLauncher({ socketPath: launcher.socketPath }),
      goV1: { sessionName: 'base' },
    }
  })
  afterAll(() => Promise.all([scripted, second, issuer, launcher, elsewhere].map((it) => it.close())))

  /** Everything that reaches the wire, under the names of the Go original. */
  async function onTheWire(other: Partial<FromEkmInit>) {
    const from = {
      brokers: [scripted.seen.length, second.seen.length],
      launchers: [launcher, elsewhere].map((it) => it.requests.length),
    }
    const outcome = await fromEkm({ ...base, ...other })().catch((error: { code: string }) => error.code)
    const broker = [scripted, second].findIndex((it, i) => it.seen.length > from.brokers[i]!)
    const socket = [launcher, elsewhere].findIndex((it, i) => it.requests.length > from.launchers[i]!)
    const seen = [scripted, second][broker]?.seen.at(-1)
    const claims = JSON.parse(
      Buffer.from(seen?.body.token_jwt?.split('.')[1] ?? 'bnVsbA', 'base64url').toString(),
    ) as Record<string, unknown> | null
    return {
      STSEndpointHost: broker,
      STSEndpoint: `https://${seen?.host}${seen?.path}`,
      Audience: ([launcher, elsewhere][socket]?.requests.at(-1)?.body as { audience: string } | undefined)?.audience,
      STSSNI: seen?.sni,
      AttestationTokenPath: socket,
      UseMTLS: seen?.client !== undefined,
      ClientCert: seen?.client,
      ClientKey: seen?.client,
      TrustCA: outcome === 'ERR_EKM_BROKER_UNTRUSTED' ? 'not trusted' : 'trusted',
      AWSAccessKeyID: claims?.access_key_id,
      AWSRoleArn: claims?.role_arn,
      AWSRegion: claims?.region,
      Duration: claims?.duration,
      AWSSessionName: claims?.session_name,
      UseAssumeRole: claims?.use_assume_role,
    }
  }

  const withBroker = (other: () => object) => () => ({ broker: { ...base.broker, ...other() } })
  const withGoV1 = (goV1: NonNullable<FromEkmInit['goV1']>) => () => ({ goV1: { ...base.goV1, ...goV1 } })
  const mutual = withBroker(() => ({ cert: workload.certPem, key: workload.keyPem }))

  /** Go field, our option, how it is set, what is on the wire without and with it. */
  const ROWS: [string, string, () => Partial<FromEkmInit>, unknown, unknown][] = [
    ['STSEndpointHost', 'broker.address', withBroker(() => ({ address: second.broker.address })), 0, 1],
    [
      'STSEndpoint',
      'broker.url',
      withBroker(() => ({ url: 'https://other.example.com:8081/sts' })),
      'https://broker.example.com/token',
      'https://other.example.com:8081/sts',
    ],
    ['Audience', 'audience', () => ({ audience: 'https://other.example.com' }), AUDIENCE, 'https://other.example.com'],
    [
      'STSSNI',
      'broker.serverName',
      withBroker(() => ({ serverName: 'other.example.com' })),
      'broker.example.com',
      'other.example.com',
    ],
    [
      'AttestationTokenPath',
      'confidentialSpaceLauncher({ socketPath })',
      () => ({ attestation: confidentialSpaceLauncher({ socketPath: elsewhere.socketPath }) }),
      0,
      1,
    ],
    ['UseMTLS', 'broker.cert and broker.key', mutual, false, true],
    ['ClientCert', 'broker.cert', mutual, undefined, 'workload'],
    ['ClientKey', 'broker.key', mutual, undefined, 'workload'],
    ['TrustCA', 'broker.ca', withBroker(() => ({ ca: strangersCa })), 'trusted', 'not trusted'],
    [
      'AWSAccessKeyID',
      'goV1.accessKeyId',
      withGoV1({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE' }),
      '',
      'AKIAIOSFODNN7EXAMPLE',
    ],
    ['AWSRoleArn', 'roleArn', () => ({ roleArn: ROLE }), '', ROLE],
    ['AWSRegion', 'goV1.region', withGoV1({ region: REGION }), '', REGION],
    ['Duration', 'durationSeconds', () => ({ durationSeconds: 900 }), 3600, 900],
    ['AWSSessionName', 'goV1.sessionName', withGoV1({ sessionName: 'mine' }), 'base', 'mine'],
    ['UseAssumeRole', 'goV1.useAssumeRole', withGoV1({ useAssumeRole: true }), false, true],
  ]

  it.each(ROWS)('%s is %s, and reaches the wire', async (field, _ours, other, without, withIt) => {
    expect(await onTheWire({})).toMatchObject({ [field]: without })
    expect(await onTheWire(other())).toMatchObject({ [field]: withIt })
  })

  it('is in the README’s table', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const rows = [...readme.matchAll(/^\| `(\w+)` +\| `([^|]+)` +\|/gm)].map(([, go, ours]) => [go, ours])
    const inTable = rows.filter(([go]) => /^[A-Z]/.test(go!))
    expect(inTable).toEqual(ROWS.map(([go, ours]) => [go, ours.replace(' and ', '`, `')]))
  })
})

describe('Go-v1 against our own broker', () => {
  let harness: Harness
  beforeAll(async () => {
    harness = await startHarness()
  })
  afterAll(() => harness.close())

  it('brings back keys that work', async () => {
    const credentials = fromEkm(harness.init({ protocol: 'go-v1', durationSeconds: 900, goV1: { region: REGION } }))
    const s3 = new S3Client({ region: REGION, endpoint: harness.aws.endpoint, forcePathStyle: true, credentials })
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    s3.destroy()
    expect(Contents?.map((it) => it.Key)).toEqual(['one.txt', 'two.txt'])
    expect((await harness.records()).at(-1)).toMatchObject({ event: 'grant', protocol: 'go-v1' })
  })

  it('is refused GetSessionToken where no rule grants it', async () => {
    const { roleArn: _, ...init } = harness.init({ protocol: 'go-v1' })
    expect(await rejection(fromEkm(init)())).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    expect((await harness.records()).at(-1)).toMatchObject({ event: 'deny', protocol: 'go-v1' })
  })
})
