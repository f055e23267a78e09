import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { confidentialSpaceLauncher, fromEkm } from '@hardbound/aws-ekm-credential'
import { createTestPki, startAws, startIssuer, startLauncher, type TestAws } from '@hardbound/testkit'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

const COMMAND = join(
  dirname(createRequire(import.meta.url).resolve('@hardbound/cli/package.json')),
  'bin/hardbound.cjs',
)
const CONFIG = fileURLToPath(new URL('../broker.yaml', import.meta.url))
const AUDIENCE = 'https://broker.example.com'
const ROLE = 'arn:aws:iam::444455556666:role/reader'
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const USER = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', arn: 'arn:aws:iam::111122223333:user/broker' }
const IMAGE = `sha256:${'1f'.repeat(32)}`

const undo: (() => unknown)[] = []
let folder: string
let aws: TestAws
let hsm: TestSoftHsm
let broker: { child: ChildProcess; port: number; logs: () => string }
let credentials: ReturnType<typeof fromEkm>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hardbound-example-'))
  aws = await startAws()
  aws.addUser({ ...USER, secretAccessKey: SECRET })
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  hsm = await createSoftHsm()
  await hsm.writeKey({ label: 'broker', value: Buffer.from(`AWS4${SECRET}`) })
  const issuer = await startIssuer()
  const launcher = await startLauncher({ issuer, claims: { submods: { container: { image_digest: IMAGE } } } })
  undo.push(
    () => launcher.close(),
    () => issuer.close(),
    () => hsm.remove(),
    () => aws.close(),
  )

  const pki = await createTestPki()
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', dns: ['localhost'] })
  const files = { 'server.pem': certPem, 'server-key.pem': keyPem, 'jwks-ca.pem': issuer.caPem, pin: hsm.pin }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  // The file as it is, but for what only this machine has.
  const config = (await readFile(CONFIG, 'utf8'))
    .replace('port: 8443', 'port: 0')
    .replace('- type: google', `- { type: google, jwks_url: "${issuer.jwksUrl}", jwks_ca_file: jwks-ca.pem }`)
    .replace('regions: [eu-west-1]', `regions: [eu-west-1]\n  endpoint: ${aws.endpoint}`)
    .replace('/usr/lib/softhsm/libsofthsm2.so', hsm.modulePath)
  await writeFile(join(folder, 'broker.yaml'), config)
  broker = await startBroker()
  credentials = fromEkm({
    broker: { url: `https://localhost:${broker.port}`, ca: pki.caPem },
    audience: AUDIENCE,
    roleArn: ROLE,
    attestation: confidentialSpaceLauncher({ socketPath: launcher.socketPath }),
    maxAttempts: 1,
  })
})
afterAll(async () => {
  await stopBroker()
  for (const step of undo) await step()
  await rm(folder, { recursive: true, force: true })
})

async function startBroker() {
  const env = { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: 'true', ...hsm.env } // no AWS key anywhere
  const child = spawn(process.execPath, [COMMAND, 'broker', 'run', '-c', join(folder, 'broker.yaml')], { env })
  let logs = ''
  const port = await new Promise<number>((resolve, reject) => {
    child.once('close', () => reject(new Error(`the broker did not start: ${logs}`)))
    child.stderr.on('data', (chunk: Buffer) => {
      logs += chunk.toString()
      const listening = /"port":(\d+)/.exec(logs)?.[1]
      if (listening !== undefined) resolve(Number(listening))
    })
  })
  return { child, port, logs: () => logs }
}

async function stopBroker(): Promise<void> {
  if (broker === undefined || broker.child.exitCode !== null) return
  broker.child.kill('SIGTERM')
  await once(broker.child, 'close')
}

describe('the broker whose key is in an HSM', () => {
  it('grants with it: STS verifies the signature and knows the user', async () => {
    await expect(credentials()).resolves.toMatchObject({ accessKeyId: expect.stringMatching(/^ASIA/) })
    expect(aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole', principal: USER.arn })
    expect(broker.logs()).not.toContain(SECRET)
  })

  it('asks the HSM once a day: with the token pulled, today still works', async () => {
    await hsm.removeToken()
    await expect(credentials()).resolves.toHaveProperty('sessionToken')
    await hsm.restoreToken()
  })

  it('does not start with another key than the one enrolled, or without the token', async () => {
    const config = join(folder, 'broker.yaml')
    const text = await readFile(config, 'utf8')
    await writeFile(config, text.replace('cf33615c', '00000000'))
    await expect(startBroker()).rejects.toThrow('ERR_HMAC_KNOWN_ANSWER')
    await writeFile(config, text)
    await hsm.removeToken()
    await expect(startBroker()).rejects.toThrow('ERR_HMAC_UNAVAILABLE')
    await hsm.restoreToken()
  })
})
