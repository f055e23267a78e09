import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { BlobServiceClient } from '@azure/storage-blob'
import { confidentialSpaceLauncher, type FromEkmInit, fromEkm } from '@hardbound/aws-ekm-credential'
import { EkmCredential } from '@hardbound/azure-ekm-credential'
import { debugClaims, startRelay } from '@hardbound/testkit'
import { came, doing, show, step } from './transcript.ts'
import { AUDIENCE, BUCKET, HARDBOUND, ROLE, startWorld, type Trust, type World } from './world.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
const SESSION_SECONDS = 3

async function main(): Promise<void> {
  step('An issuer of attestations, a launcher, STS, S3, Entra, Azurite and a broker start on this machine')
  const world = await startWorld()
  try {
    doing('The emulators verify every signature; the broker is `hardbound broker run -c broker.yaml` with this policy:')
    show(world.policy)
    const app = provider(world)
    await useSdk(world, app)
    await seeExpiry(world)
    await processCredential(world)
    await useAzure(world)
    await refuseImages(world)
    await refuseRelay(world)
    await readAudit(world)
  } finally {
    await world.close()
  }
  console.log('\nDone: no long-lived secret was in the workload, and every refusal was on purpose.')
}

/** What an application writes. */
function provider(world: World, broker: Partial<FromEkmInit['broker']> = {}): ReturnType<typeof fromEkm> {
  return fromEkm({ ...commonInit(world, broker), roleArn: ROLE, durationSeconds: 900 })
}

const commonInit = (world: World, broker: Partial<FromEkmInit['broker']> = {}) => ({
  broker: {
    url: 'https://broker.example.com',
    address: `127.0.0.1:${world.brokerPort}`,
    ca: world.pki.caPem,
    ...broker,
  },
  audience: AUDIENCE,
  attestation: confidentialSpaceLauncher({ socketPath: world.launcher.socketPath }),
})

async function useSdk(world: World, credentials: ReturnType<typeof fromEkm>): Promise<void> {
  step('The application uses the AWS SDK with `credentials: fromEkm({ broker, audience, roleArn })`')
  const common = { region: 'eu-west-1', endpoint: world.aws.endpoint, credentials }
  const { Arn } = await new STSClient(common).send(new GetCallerIdentityCommand({}))
  came(`sts:GetCallerIdentity says ${Arn}`)
  const { Contents } = await new S3Client({ ...common, forcePathStyle: true }).send(
    new ListObjectsV2Command({ Bucket: BUCKET }),
  )
  came(`s3:ListObjectsV2 lists ${Contents?.map(({ Key }) => Key).join(', ')}`)
  const { nonces } = world.launcher.requests.at(-1)!.body as { nonces: string[] }
  doing(`The attestation carried the nonce ${nonces[0]}: a hash over the TLS connection and the request.`)
}

async function seeExpiry(world: World): Promise<void> {
  step(`Sessions expire, and the SDK renews them by itself (STS is told to end them after ${SESSION_SECONDS} s)`)
  world.aws.shortenSessionsTo = SESSION_SECONDS
  const credentials = provider(world)
  const s3 = new S3Client({ region: 'eu-west-1', endpoint: world.aws.endpoint, credentials, forcePathStyle: true })
  const list = new ListObjectsV2Command({ Bucket: BUCKET })
  const held = await credentials()
  await s3.send(list)
  came(`session ${held.accessKeyId} works until ${held.expiration?.toISOString()}`)
  await wait((SESSION_SECONDS + 0.2) * 1000)
  const stale = new S3Client({
    region: 'eu-west-1',
    endpoint: world.aws.endpoint,
    credentials: held,
    forcePathStyle: true,
  })
  const refusal = await stale.send(list).then(
    () => 'nothing: the session still works',
    (error: Error) => error.name,
  )
  if (refusal !== 'ExpiredToken') throw new Error(`expected ExpiredToken, got ${refusal}`)
  came('its keys by themselves are now refused: ExpiredToken')
  await s3.send(list)
  came('the same S3Client went on working: a new attestation, a new session')
  world.aws.shortenSessionsTo = undefined
}

async function processCredential(world: World): Promise<void> {
  step('Any program that reads ~/.aws/config gets them through `credential_process = hardbound aws ekm …`')
  const args = ['--broker', 'https://broker.example.com', '--address', `127.0.0.1:${world.brokerPort}`]
  const trust = ['--ca', join(world.folder, 'ca.pem'), '--audience', AUDIENCE, '--socket', world.launcher.socketPath]
  const { stdout } = await promisify(execFile)(process.execPath, [
    HARDBOUND,
    'aws',
    'ekm',
    ...args,
    ...trust,
    '--role-arn',
    ROLE,
  ])
  const { SecretAccessKey, SessionToken, ...rest } = JSON.parse(stdout) as Record<string, string>
  came(
    JSON.stringify({
      ...rest,
      SecretAccessKey: `(${SecretAccessKey?.length} characters)`,
      SessionToken: `(${SessionToken?.length})`,
    }),
  )
}

async function useAzure(world: World): Promise<void> {
  step('The same workload reads blobs in Azure: `new BlobServiceClient(url, new EkmCredential({ broker, audience }))`')
  const credential = new EkmCredential(commonInit(world))
  const trust: Trust = { tlsOptions: { ca: world.azurite.caPem } }
  const container = new BlobServiceClient(world.azurite.blobEndpoint, credential, trust).getContainerClient(BUCKET)
  const names: string[] = []
  for await (const { name } of container.listBlobsFlat()) names.push(name)
  came(`Azurite lists ${names.join(', ')}`)
  const blob = await container.getBlobClient(names[0] ?? '').downloadToBuffer()
  came(`and reads ${blob.length} octets of ${names[0]}`)
  const { alg, method, scope } = world.entra.calls.at(-1) ?? {}
  doing(`The broker had the token from Entra for ${scope}, by a ${method} (${alg}); the workload knows neither.`)
  await expectRefusal(
    () => credential.getToken('https://graph.microsoft.com/.default'),
    'a token for Microsoft Graph, which no rule names',
  )
}

async function refuseImages(world: World): Promise<void> {
  step('Another image, and a debug image, get nothing')
  const { claims } = world.launcher
  world.launcher.claims = { ...claims, submods: { container: { image_digest: `sha256:${'bad0'.repeat(16)}` } } }
  await expectRefusal(provider(world), 'an image that no rule names')
  world.launcher.claims = { ...debugClaims(), ...claims, dbgstat: 'enabled' }
  await expectRefusal(provider(world), 'the right image on a debug machine')
  const azure = new EkmCredential(commonInit(world))
  await expectRefusal(() => azure.getToken('https://storage.azure.com/.default'), 'the same, for Azure')
  world.launcher.claims = claims
}

async function refuseRelay(world: World): Promise<void> {
  step('A man in the middle with a valid certificate passes the token on, and gets nothing')
  const own = await world.pki.issue({ commonName: 'relay', dns: ['broker.example.com'] })
  const relay = await startRelay({
    ...own,
    targetPort: world.brokerPort,
    caPem: world.pki.caPem,
    targetServerName: 'broker.example.com',
  })
  await expectRefusal(provider(world, { address: `127.0.0.1:${relay.port}` }), 'a token relayed byte for byte')
  doing(`It read all ${relay.bytes} octets in the clear; the token is bound to the other leg of the connection.`)
  await relay.close()
}

async function expectRefusal(ask: () => Promise<unknown>, what: string): Promise<void> {
  const error: unknown = await ask().catch((it: unknown) => it)
  if (!(error instanceof Error && 'code' in error && error.code === 'ERR_EKM_BROKER_REFUSED')) {
    throw new Error(`${what} should have been refused`, { cause: error })
  }
  came(`${what}: ${error.message.replace(/^.*: the broker/, 'the broker').replace(/ \(.*$/, '')}`)
}

async function readAudit(world: World): Promise<void> {
  step('The audit log has the reasons that the clients were not told')
  const file = join(world.folder, 'audit.jsonl')
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  for (const line of lines) {
    const { event, reason, rule, image_digest: image } = JSON.parse(line) as Record<string, string>
    if (event === 'deny') show(`${event}  ${reason}  ${image?.slice(0, 19) ?? ''}`)
    if (event === 'grant') show(`${event} ${rule}  ${image?.slice(0, 19)}`)
  }
  const { stdout } = await promisify(execFile)(process.execPath, [HARDBOUND, 'audit', 'verify', file])
  came(`hardbound audit verify: ${stdout.trim()}`)
}

await main()
