import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { confidentialSpaceLauncher, type FromEkmInit, fromEkm } from '@hardbound/aws-ekm-credential'
import type { BrokerServer } from '@hardbound/broker-core'
import { createTestPki, startIssuer, startLauncher, type TestIssuer, type TestLauncher } from '@hardbound/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const IMAGE = `sha256:${'a1'.repeat(32)}`
const ROLE = 'arn:aws:iam::111122223333:role/reader'

/** Vault's AWS secrets engine, as far as the broker uses it. */
interface TestVault {
  server: Server
  asked: { url: string | undefined; token: unknown; body: string }[]
  status: number
}

let folder: string
let issuer: TestIssuer
let launcher: TestLauncher
let vault: TestVault
let broker: { server: BrokerServer; port: number }
let init: FromEkmInit
const before = { ...process.env }

beforeAll(async () => {
  const pki = await createTestPki()
  issuer = await startIssuer()
  launcher = await startLauncher({ issuer })
  vault = await startVault()
  folder = await mkdtemp(here('./broker-'))
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', dns: ['broker.example.com'] })
  const files = { TLS_CERT: certPem, TLS_KEY: keyPem, IMAGES: JSON.stringify({ [IMAGE]: ROLE }), AUDIT_LOG: '' }
  for (const [name, text] of Object.entries(files)) {
    process.env[name] = join(folder, name)
    await writeFile(join(folder, name), text)
  }
  const { port } = vault.server.address() as AddressInfo
  const settings = { AUDIENCE: 'https://broker.example.com', PORT: '0', VAULT_TOKEN: 'hvs.example' }
  Object.assign(process.env, settings, { VAULT_ADDR: `http://127.0.0.1:${port}` })
  broker = await startBroker()
  init = {
    broker: { url: 'https://broker.example.com', address: `127.0.0.1:${broker.port}`, ca: pki.caPem },
    audience: 'https://broker.example.com',
    roleArn: ROLE,
    attestation: confidentialSpaceLauncher({ socketPath: launcher.socketPath }),
    maxAttempts: 1,
  }
})
afterAll(async () => {
  await broker.server.close(0)
  await Promise.all([launcher.close(), issuer.close(), new Promise((resolve) => vault.server.close(resolve))])
  await rm(folder, { recursive: true })
  process.env = before
})
beforeEach(() => {
  launcher.claims = { submods: { container: { image_digest: IMAGE } } }
  vault.status = 200
})

/** src/main.ts as it stands there, but for whose keys sign attestations: for that it has no setting. */
async function startBroker(): Promise<typeof broker> {
  const source = await readFile(here('../src/main.ts'), 'utf8')
  const keys = JSON.stringify({ url: issuer.jwksUrl, ca: issuer.caPem })
  await writeFile(join(folder, 'main.ts'), source.replace('{ url: tee.GOOGLE_JWKS_URL }', keys))
  return (await import(join(folder, 'main.ts'))) as typeof broker
}

async function startVault(): Promise<TestVault> {
  const it: TestVault = { server: createServer(), asked: [], status: 200 }
  it.server.on('request', async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    it.asked.push({ url: request.url, token: request.headers['x-vault-token'], body })
    const data = {
      access_key: 'ASIAIOSFODNN7EXAMPLE',
      secret_key: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      security_token: 'IQoJb3JpZ2luX2VjEXAMPLE',
      arn: 'arn:aws:sts::111122223333:assumed-role/reader/vault-1',
    }
    response.writeHead(it.status, { connection: 'close' }).end(JSON.stringify({ data, lease_duration: 900 }))
  })
  await new Promise<void>((resolve) => it.server.listen(0, '127.0.0.1', resolve))
  return it
}

const lastRecord = async (): Promise<unknown> =>
  JSON.parse((await readFile(join(folder, 'AUDIT_LOG'), 'utf8')).trim().split('\n').at(-1)!)

describe('a custom broker', () => {
  it('is under 60 lines', async () => {
    expect((await readFile(here('../src/main.ts'), 'utf8')).trim().split('\n').length).toBeLessThan(60)
  })

  it('grants what Vault issues, and records it', async () => {
    const keys = await fromEkm({ ...init, durationSeconds: 900 })()
    expect(keys).toMatchObject({ accessKeyId: 'ASIAIOSFODNN7EXAMPLE', accountId: '111122223333' })
    expect(vault.asked).toEqual([{ url: '/v1/aws/sts/reader', token: 'hvs.example', body: '{"ttl":900}' }])
    const log = await readFile(join(folder, 'AUDIT_LOG'), 'utf8')
    expect(log.match(/"event":"(\w+)"/g)).toEqual(['"event":"intent"', '"event":"grant"'])
    expect(log).not.toContain(keys.secretAccessKey)
  })

  it.each([
    [
      'an image that is not the newest',
      { submods: { confidential_space: { support_attributes: ['STABLE', 'USABLE'] } } },
      'claim.support_attributes',
    ],
    [
      'an image that is not listed',
      { submods: { container: { image_digest: `sha256:${'0'.repeat(64)}` } } },
      'claim.image_digest',
    ],
    [
      'an environment set by the operator',
      { submods: { container: { env_override: { NODE_OPTIONS: '-r x' } } } },
      'claim.override',
    ],
    ['a command set by the operator', { submods: { container: { cmd_override: ['sh'] } } }, 'claim.override'],
    ['a debug image', { dbgstat: 'enabled' }, 'claim.dbgstat'],
  ])('refuses %s', async (_what, claims: object, reason) => {
    const { submods = {} } = claims as { submods?: { container?: object } }
    launcher.claims = { ...claims, submods: { ...submods, container: { image_digest: IMAGE, ...submods.container } } }
    const asked = vault.asked.length
    await expect(fromEkm(init)()).rejects.toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    expect(vault.asked.length).toBe(asked)
    expect(await lastRecord()).toMatchObject({ event: 'deny', code: 'policy_denied', reason })
  })

  it('refuses another role than the image’s', async () => {
    const roleArn = 'arn:aws:iam::111122223333:role/admin'
    await expect(fromEkm({ ...init, roleArn })()).rejects.toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    expect(await lastRecord()).toMatchObject({ reason: 'request.role_arn' })
  })

  it('says no where Vault does', async () => {
    vault.status = 403
    await expect(fromEkm(init)()).rejects.toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
    expect(await lastRecord()).toMatchObject({ code: 'upstream_rejected' })
  })
})
