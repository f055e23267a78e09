import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BlobServiceClient, type StoragePipelineOptions, StorageSharedKeyCredential } from '@azure/storage-blob'
import { createGoogleVerifier, createRemoteKeySet } from '@hardbound/attestation-verify'
import { confidentialSpaceLauncher } from '@hardbound/azure-ekm-credential'
import {
  type BrokerServer,
  clientCertificate,
  createAzureIssuer,
  createBroker,
  createBrokerServer,
  createFileAuditSink,
  loadPolicy,
} from '@hardbound/broker-core'
import { createTestPki, startIssuer, startLauncher, type TestIssuer, type TestLauncher } from '@hardbound/testkit'
import { startAzurite, startEntra, type TestAzurite, type TestEntra } from '@hardbound/testkit/azure'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { main, type Setting } from '../src/main.ts'

const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), 'utf8')
const APPLICATION = {
  tenantId: '11111111-2222-4333-8444-555555555555',
  clientId: '66666666-7777-4888-8999-aaaaaaaaaaaa',
}

/** Not in the SDK's types, but in its pipeline. */
type Trust = StoragePipelineOptions & { tlsOptions: { ca: string } }

let folder: string
let issuer: TestIssuer
let launcher: TestLauncher
let entra: TestEntra
let azurite: TestAzurite
let server: BrokerServer
let close: () => Promise<void>
let env: Record<Setting, string>
let storage: StoragePipelineOptions
/** The README's policy, which the broker below runs. */
let policy: string

beforeAll(async () => {
  const pki = await createTestPki()
  ;[issuer, entra, azurite] = await Promise.all([startIssuer(), startEntra(), startAzurite()])
  launcher = await startLauncher({ issuer })
  const trust: Trust = { tlsOptions: { ca: azurite.caPem } }
  storage = trust
  await fill(azurite)
  const app = await pki.issue({ commonName: 'broker in Azure', keyType: 'RSA-2048' })
  entra.addApplication({ ...APPLICATION, certificates: [app.certPem] })
  folder = await mkdtemp(join(tmpdir(), 'hardbound-azure-blob-'))
  policy = [...(await read('../README.md')).matchAll(/```yaml\n([\s\S]*?)```/g)][1]![1]!
  const audit = await createFileAuditSink({ path: join(folder, 'audit.jsonl') })
  const cloud = createAzureIssuer({
    applications: [
      {
        ...APPLICATION,
        authorityHost: entra.authorityHost,
        credential: await clientCertificate({ pem: app.certPem + app.keyPem }),
      },
    ],
    ca: entra.caPem,
  })
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
    BLOB_ENDPOINT: azurite.blobEndpoint,
    CONTAINER: 'reports',
    HARDBOUND_BROKER: `https://127.0.0.1:${port}`,
    HARDBOUND_BROKER_CA: join(folder, 'broker-ca.pem'),
  }
  close = async () => {
    await server.close(0)
    cloud.close()
    await Promise.all([audit.close(), launcher.close(), issuer.close(), entra.close(), azurite.stop()])
    await rm(folder, { recursive: true })
  }
})
afterAll(() => close())
beforeEach(() => {
  launcher.claims = claims({ CONTAINER: 'reports' })
})

async function fill({ account, accountKey, blobEndpoint }: TestAzurite): Promise<void> {
  const owner = new BlobServiceClient(blobEndpoint, new StorageSharedKeyCredential(account, accountKey), storage)
  const container = owner.getContainerClient('reports')
  await container.create()
  for (const month of ['july', 'august']) {
    await container.getBlockBlobClient(`2026/${month}.csv`).upload(month, month.length)
  }
}

/** What the launcher attests of a VM started as the README says, with these `tee-env-…`. */
const claims = (envOverride: object, digest = /sha256:[0-9a-f]{64}/.exec(policy)![0]): object => ({
  google_service_accounts: ['workload@example-project.iam.gserviceaccount.com'],
  submods: {
    container: { image_digest: digest, env_override: envOverride },
    gce: { project_number: '1234567890' },
  },
})
const run = (other: Partial<Record<Setting, string>> = {}): Promise<Record<string, string>> =>
  main({ ...env, ...other }, { attestation: confidentialSpaceLauncher({ socketPath: launcher.socketPath }), storage })

describe('the workload', () => {
  it('lists and reads its blobs, with a token of the application', async () => {
    await expect(run()).resolves.toEqual({ '2026/august.csv': 'august', '2026/july.csv': 'july' })
    expect(entra.calls).toEqual([
      expect.objectContaining({ ...APPLICATION, scope: 'https://storage.azure.com/.default', method: 'certificate' }),
    ])
  })

  it('gets nothing when the operator chose another container', async () => {
    launcher.claims = claims({ CONTAINER: 'private' })
    await expect(run({ CONTAINER: 'private' })).rejects.toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
  })

  it('gets nothing from another image', async () => {
    launcher.claims = claims({ CONTAINER: 'reports' }, `sha256:${'0'.repeat(64)}`)
    await expect(run()).rejects.toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
  })

  it.each<Setting>(['AUDIENCE', 'BLOB_ENDPOINT', 'CONTAINER', 'HARDBOUND_BROKER', 'HARDBOUND_BROKER_CA'])(
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
      const isFixed = new RegExp(`^ +${name}=|^ENV ${name}=`, 'm').test(dockerfile)
      expect([name, isFixed]).toEqual([name, !allowed!.split(',').includes(name)])
    }
    expect(dockerfile).toMatch(/^USER node$/m)
    expect(dockerfile).not.toContain('allow_cmd_override"')
  })
})
