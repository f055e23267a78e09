import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTestPki, startAws, startIssuer, type TestAws, type TestIssuer, type TestPki } from '@hardbound/testkit'
import { startEntra, type TestEntra } from '@hardbound/testkit/azure'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  type AzureCertificateCredential,
  type AzureIssuer,
  BROKER_STATUS,
  type BrokerServer,
  createAzureIssuer,
  DEFAULT_LIMITS,
} from '../src/index.ts'
import { type Answer, connectRaw, http, v2Body } from './harness.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/broker',
}

const APPLICATION = {
  tenantId: '11111111-2222-4333-8444-555555555555',
  clientId: '66666666-7777-4888-8999-aaaaaaaaaaaa',
}

let pki: TestPki
let issuer: TestIssuer
let aws: TestAws
let entra: TestEntra
let softHsm: TestSoftHsm
let folder: string
let readme: string
let started: { server: BrokerServer; port: number }

beforeAll(async () => {
  ;[pki, issuer, aws, entra, softHsm] = await Promise.all([
    createTestPki(),
    startIssuer(),
    startAws(),
    startEntra(),
    createSoftHsm(),
  ])
  aws.addUser(USER)
  aws.addRole({ arn: 'arn:aws:iam::111122223333:role/reader', trusts: [USER.arn] })
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', ip: ['127.0.0.1'] })
  await writeFile(join(folder, 'broker.pem'), certPem)
  await writeFile(join(folder, 'broker.key'), keyPem)
  await writeFile(join(folder, 'policy.yaml'), blocks('yaml')[0]!)
  await prepareAzure()
  started = await runBlock(0)
})
afterAll(async () => {
  await started.server.close(0)
  await Promise.all([issuer.close(), aws.close(), entra.close(), softHsm.remove()])
  await rm(folder, { recursive: true })
})

/** An application with a client secret in a file, and a certificate whose key is in SoftHSM. */
async function prepareAzure(): Promise<void> {
  softHsm.activate()
  const { certPem, keyPem } = await pki.issue({ commonName: 'azure', keyType: 'RSA-2048' })
  entra.addApplication({ ...APPLICATION, secrets: [{ value: 'a-client-secret' }], certificates: [certPem] })
  await writeFile(join(folder, 'azure-client-secret'), 'a-client-secret\n', { mode: 0o600 })
  for (const [type, pem, command] of [
    ['privkey', keyPem, 'pkey'],
    ['cert', certPem, 'x509'],
  ] as const) {
    const file = join(folder, type)
    await writeFile(`${file}.pem`, pem)
    await promisify(execFile)('openssl', [command, '-in', `${file}.pem`, '-outform', 'DER', '-out', `${file}.der`])
    const sign = type === 'privkey' ? ['--usage-sign', '--sensitive'] : []
    await softHsm.tool('--write-object', `${file}.der`, '--type', type, '--id', '01', '--label', 'azure', ...sign)
  }
}

const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block]) => block!)

/** Runs a block of the README as it stands there, but for host names and paths. */
async function runBlock<T>(index: number): Promise<T> {
  const emulator = `endpoint: '${aws.endpoint}', credentials: ${JSON.stringify(USER)}`
  const code = blocks('ts')
    [index]!.replace('{ url: GOOGLE_JWKS_URL }', JSON.stringify({ url: issuer.jwksUrl, ca: issuer.caPem }))
    .replace('createAwsIssuer({', `createAwsIssuer({ ${emulator},`)
    .replace('createAzureIssuer({', `createAzureIssuer({ ca: ${JSON.stringify(entra.caPem)},`)
    .replace('credential: client', `authorityHost: '${entra.authorityHost}', credential: client`)
    .replace(/'pkcs11:token=.*'/, JSON.stringify(softHsm.uri('azure')))
    .replaceAll(/\/(?:etc|var\/log)\/hardbound/g, folder)
    .replace("8443, '0.0.0.0'", '0')
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

async function ask(imageDigest: string): Promise<Answer> {
  const client = await connectRaw({ pki, port: started.port })
  const claims = { submods: { container: { image_digest: imageDigest }, gce: { project_number: '1234567890' } } }
  client.write(http(v2Body({ issuer }, client, { claims })))
  return client.answer().finally(() => client.destroy())
}

describe('README', () => {
  it('grants what its policy says, and nothing else; the audit log stands the test', async () => {
    const [image] = /sha256:[0-9a-f]{64}/.exec(blocks('yaml')[0]!)!
    const granted = await ask(image)
    expect(granted.status).toBe(200)
    expect(JSON.parse(granted.body)).toHaveProperty('SecretAccessKey')
    expect((await ask(`sha256:${'0'.repeat(64)}`)).status).toBe(403)
    const { report } = await runBlock<{ report: string }>(3)
    expect(report).toBe('3 records, none was changed')
  })

  it('gets tokens with a client secret, and with a certificate in an HSM', async () => {
    const { azure } = await runBlock<{ azure: AzureIssuer }>(1)
    const grant = { target: 'azure', ...APPLICATION, scope: 'https://storage.azure.com/.default' } as const
    const context = { requestId: 'r', signal: new AbortController().signal }
    const { key, credential } = await runBlock<{
      key: { close(): Promise<void> }
      credential: AzureCertificateCredential
    }>(2)
    const { authorityHost, caPem: ca } = entra
    const inHsm = createAzureIssuer({ applications: [{ ...APPLICATION, authorityHost, credential }], ca })
    for (const one of [azure, inHsm]) {
      const { body } = await one.issue(grant, context)
      expect(entra.tokenFor(String(body.access_token))).toMatchObject({ appid: APPLICATION.clientId })
      one.close()
    }
    await key.close()
    expect(entra.calls.map(({ method }) => method)).toEqual(['secret', 'certificate'])
  })

  it('has every public code with its status', () => {
    const rows = [...readme.matchAll(/^\| `([a-z_]+)` +\| (\d{3}) +\|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ])
    expect(rows).toEqual(Object.entries(BROKER_STATUS))
  })

  it('has every code of AzureCredentialError and PolicyError', async () => {
    const sources = ['../src/azure-credential-error.ts', '../src/policy/policy-error.ts'].map((it) =>
      readFile(here(it), 'utf8'),
    )
    const codes = [...(await Promise.all(sources)).join('\n').matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
    expect([...readme.matchAll(/^- `(ERR_\w+)`:/gm)].map(([, code]) => code)).toEqual(codes)
  })

  it('has every limit with its default', () => {
    const rows = [...readme.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, name, value]) => [name, Number(value)])
    const limits = rows.filter(([name]) => String(name) in DEFAULT_LIMITS)
    expect(limits).toEqual(Object.entries(DEFAULT_LIMITS))
  })

  it.each([
    ['../src/broker.ts', 'BrokerInit'],
    ['../src/http/server.ts', 'BrokerServerInit'],
    ['../src/http/server.ts', 'BrokerTls'],
    ['../src/aws-issuer.ts', 'AwsIssuerInit'],
    ['../src/azure-issuer.ts', 'AzureIssuerInit'],
    ['../src/azure-application.ts', 'AzureApplication'],
    ['../src/file-audit-sink.ts', 'FileAuditSinkInit'],
  ])('has every option of %s, %s', async (path, name) => {
    const source = await readFile(here(path), 'utf8')
    const [, fields] = new RegExp(`export interface ${name} \\{([\\s\\S]*?)\n\\}`).exec(source)!
    const options = [...fields!.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, option]) => option!)
    expect(options.length).toBeGreaterThan(0)
    expect(options.filter((option) => !readme.includes(`\`${option}\``))).toEqual([])
  })
})
