import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { BlobServiceClient, type StoragePipelineOptions, StorageSharedKeyCredential } from '@azure/storage-blob'
import {
  createTestPki,
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestIssuer,
  type TestLauncher,
  type TestPki,
} from '@hardbound/testkit'
import { startAzurite, startEntra, type TestAzurite, type TestEntra } from '@hardbound/testkit/azure'

export const AUDIENCE = 'https://broker.example.com'
export const ROLE = 'arn:aws:iam::111122223333:role/reader'
const IMAGE = `sha256:${'5e1f'.repeat(16)}`
export const BUCKET = 'reports'
const TENANT = '11111111-2222-4333-8444-555555555555'
const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'

/** Everything that a real deployment has elsewhere, on this machine. */
export interface World {
  pki: TestPki
  issuer: TestIssuer
  launcher: TestLauncher
  aws: TestAws
  entra: TestEntra
  azurite: TestAzurite
  folder: string
  brokerPort: number
  policy: string
  close(): Promise<void>
}

/** The command, as `npx hardbound` would run it. */
export const HARDBOUND = join(
  dirname(createRequire(import.meta.url).resolve('@hardbound/cli/package.json')),
  'bin/hardbound.cjs',
)

const POLICY = `version: 1
aws: { account_id: "111122223333" }
rules:
  - id: reports-reader
    workload:
      image_digests: ["${IMAGE}"]
      project_numbers: ["1234567890"]
    grant:
      aws:
        role_arn: ${ROLE}
        max_duration_seconds: 900
        session_policy:
          Version: "2012-10-17"
          Statement:
            - { Effect: Allow, Action: ["s3:ListBucket", "s3:GetObject"], Resource: ["arn:aws:s3:::${BUCKET}", "arn:aws:s3:::${BUCKET}/*"] }
        tags: { image_digest: "{{assertion.submods.container.image_digest}}" }
  - id: blob-reader
    workload:
      image_digests: ["${IMAGE}"]
      project_numbers: ["1234567890"]
    grant:
      azure:
        tenant_id: ${TENANT}
        client_id: ${CLIENT}
        scopes: [https://storage.azure.com/.default]
`

/** Starts issuer, launcher, STS, S3 and Entra as emulators, Azurite, and a broker with a policy as its own process. */
export async function startWorld(): Promise<World> {
  const [pki, issuer, aws, entra, azurite] = await Promise.all([
    createTestPki(),
    startIssuer(),
    startAws(),
    startEntra(),
    startAzurite(),
  ])
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-demo-'))
  const launcher = await startLauncher({
    issuer,
    claims: {
      submods: { container: { image_digest: IMAGE }, gce: { project_number: '1234567890', instance_id: '4242' } },
    },
  })
  const brokerUser = 'arn:aws:iam::111122223333:user/broker'
  const key = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
  aws.addUser({ ...key, arn: brokerUser })
  aws.addRole({ arn: ROLE, trusts: [brokerUser] })
  aws.addBucket(BUCKET, { '2026/october.csv': 'a,b\n', '2026/november.csv': 'a,b\n' })
  await fill(azurite)
  await writeConfig(folder, { pki, issuer, aws, entra })
  const { broker, port } = await startBroker(folder, key)
  return {
    pki,
    issuer,
    launcher,
    aws,
    entra,
    azurite,
    folder,
    brokerPort: port,
    policy: POLICY,
    async close() {
      broker.kill('SIGTERM')
      await once(broker, 'exit')
      await Promise.all([launcher.close(), issuer.close(), aws.close(), entra.close(), azurite.stop()])
      await rm(folder, { recursive: true })
    },
  }
}

/** Azurite is not known to the public authorities. Not in the SDK's types, but in its pipeline. */
export type Trust = StoragePipelineOptions & { tlsOptions: { ca: string } }

/** As the owner of the storage account would. */
async function fill({ account, accountKey, blobEndpoint, caPem }: TestAzurite): Promise<void> {
  const trust: Trust = { tlsOptions: { ca: caPem } }
  const owner = new BlobServiceClient(blobEndpoint, new StorageSharedKeyCredential(account, accountKey), trust)
  const { containerClient } = await owner.createContainer(BUCKET)
  for (const month of ['october', 'november']) {
    await containerClient.getBlockBlobClient(`2026/${month}.csv`).upload('a,b\n', 4)
  }
}

async function writeConfig(
  folder: string,
  { pki, issuer, aws, entra }: Pick<World, 'pki' | 'issuer' | 'aws' | 'entra'>,
): Promise<void> {
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', dns: ['broker.example.com'], ip: ['127.0.0.1'] })
  const application = await pki.issue({ commonName: 'broker in Azure', keyType: 'RSA-2048' })
  entra.addApplication({ tenantId: TENANT, clientId: CLIENT, certificates: [application.certPem] })
  const files = {
    'entra-ca.pem': entra.caPem,
    'azure.pem': application.certPem,
    'azure.key': application.keyPem,
    'server.pem': certPem,
    'server.key': keyPem,
    'ca.pem': pki.caPem,
    'issuer-ca.pem': issuer.caPem,
    'policy.yaml': POLICY,
    'broker.yaml': `listen: { host: 127.0.0.1, port: 0 }
tls: { certificate_file: server.pem, key_file: server.key }
attestation:
  audience: ${AUDIENCE}
  issuers: [{ type: google, jwks_url: "${issuer.jwksUrl}", jwks_ca_file: issuer-ca.pem }]
aws: { regions: [eu-west-1], endpoint: "${aws.endpoint}" }
azure:
  ca_file: entra-ca.pem
  applications:
    - tenant_id: ${TENANT}
      client_id: ${CLIENT}
      authority_host: ${entra.authorityHost}
      credential: { certificate: { certificate_file: azure.pem, key_file: azure.key } }
audit: { file: audit.jsonl }
policy: policy.yaml
`,
  }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })))
}

async function startBroker(
  folder: string,
  key: { accessKeyId: string; secretAccessKey: string },
): Promise<{ broker: ChildProcess; port: number }> {
  const broker = spawn(process.execPath, [HARDBOUND, 'broker', 'run', '-c', join(folder, 'broker.yaml')], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { PATH: process.env.PATH, AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey },
  })
  const said: string[] = []
  for await (const line of createInterface({ input: broker.stderr })) {
    said.push(line)
    const { listening } = parse(line)
    if (listening !== undefined) {
      broker.stderr.resume()
      return { broker, port: listening.port }
    }
  }
  throw new Error(`the broker did not start:\n${said.join('\n')}`)
}

function parse(line: string): { listening?: { port: number } } {
  try {
    return JSON.parse(line) as { listening?: { port: number } }
  } catch {
    return {}
  }
}
