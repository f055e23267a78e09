import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTestPki, startAws, startIssuer, type TestAws, type TestIssuer, type TestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { BROKER_STATUS, type BrokerServer, DEFAULT_LIMITS } from '../src/index.ts'
import { type Answer, connectRaw, http, v2Body } from './harness.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/broker',
}

let pki: TestPki
let issuer: TestIssuer
let aws: TestAws
let folder: string
let readme: string
let started: { server: BrokerServer; port: number }

beforeAll(async () => {
  ;[pki, issuer, aws] = await Promise.all([createTestPki(), startIssuer(), startAws()])
  aws.addUser(USER)
  aws.addRole({ arn: 'arn:aws:iam::111122223333:role/reader', trusts: [USER.arn] })
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', ip: ['127.0.0.1'] })
  await writeFile(join(folder, 'broker.pem'), certPem)
  await writeFile(join(folder, 'broker.key'), keyPem)
  await writeFile(join(folder, 'policy.yaml'), blocks('yaml')[0]!)
  started = await runBlock(0)
})
afterAll(async () => {
  await started.server.close(0)
  await Promise.all([issuer.close(), aws.close()])
  await rm(folder, { recursive: true })
})

const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block]) => block!)

/** Runs a block of the README as it stands there, but for host names and paths. */
async function runBlock<T>(index: number): Promise<T> {
  const emulator = `endpoint: '${aws.endpoint}', credentials: ${JSON.stringify(USER)}`
  const code = blocks('ts')
    [index]!.replace('{ url: GOOGLE_JWKS_URL }', JSON.stringify({ url: issuer.jwksUrl, ca: issuer.caPem }))
    .replace('createAwsIssuer({', `createAwsIssuer({ ${emulator},`)
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
    const { report } = await runBlock<{ report: string }>(1)
    expect(report).toBe('3 records, none was changed')
  })

  it('has every public code with its status', () => {
    const rows = [...readme.matchAll(/^\| `([a-z_]+)` +\| (\d{3}) +\|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ])
    expect(rows).toEqual(Object.entries(BROKER_STATUS))
  })

  it('has every code of PolicyError', async () => {
    const source = await readFile(here('../src/policy/policy-error.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
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
    ['../src/file-audit-sink.ts', 'FileAuditSinkInit'],
  ])('has every option of %s, %s', async (path, name) => {
    const source = await readFile(here(path), 'utf8')
    const [, fields] = new RegExp(`export interface ${name} \\{([\\s\\S]*?)\n\\}`).exec(source)!
    const options = [...fields!.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, option]) => option!)
    expect(options.length).toBeGreaterThan(0)
    expect(options.filter((option) => !readme.includes(`\`${option}\``))).toEqual([])
  })
})
