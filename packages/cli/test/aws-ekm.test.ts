import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import {
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestIssuer,
  type TestLauncher,
} from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  AUDIENCE,
  COMMAND,
  ENV,
  type Folder,
  hardbound,
  IMAGE_DIGEST,
  makeBroker,
  makeFolder,
  POLICY,
  ROLE,
  type RunningBroker,
  runBroker,
  USER,
} from './helpers.ts'

let folder: Folder
let issuer: TestIssuer
let launcher: TestLauncher
let aws: TestAws
let broker: RunningBroker
let made: Awaited<ReturnType<typeof makeBroker>>
let flags: string[]

beforeAll(async () => {
  folder = await makeFolder()
  issuer = await startIssuer()
  launcher = await startLauncher({ issuer })
  aws = await startAws()
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  made = await makeBroker(folder, { issuer, aws })
  broker = await runBroker(await folder.write('broker.yaml', JSON.stringify({ ...made.config, go_v1: {} })))
  flags = ['--broker', broker.url, '--audience', AUDIENCE, '--ca', made.caFile, '--socket', launcher.socketPath]
})
afterAll(async () => {
  await broker?.stop()
  await Promise.all([launcher?.close(), issuer?.close(), aws?.close()])
  await folder?.remove()
})

const ekm = (...args: string[]) => hardbound(['aws', 'ekm', ...args])

describe('hardbound aws ekm', () => {
  it('F18 prints one line of JSON, Version 1, and nothing else', async () => {
    const { code, stdout, stderr } = await ekm(...flags, '--role-arn', ROLE)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^\{[^\n]+\}\n$/)
    const output = JSON.parse(stdout) as Record<string, unknown>
    expect(Object.keys(output)).toEqual(['Version', 'AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration'])
    expect(output).toMatchObject({ Version: 1, AccessKeyId: expect.stringMatching(/^ASIA/) })
    expect(Date.parse(String(output.Expiration))).toBeGreaterThan(Date.now())
  })

  it('takes the role that the rule names, and pins a key', async () => {
    const pin = `sha256/${Buffer.from(made.server.spkiSha256, 'hex').toString('base64')}`
    const { code } = await ekm(...flags, '--pin', 'ab'.repeat(32), '--pin', pin, '--address', new URL(broker.url).host)
    expect(code).toBe(0)
    expect(aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole', params: { RoleArn: ROLE } })
  })

  it('F18 serves 50 at the same time', async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => ekm(...flags, '--timeout', '60')))
    expect(outcomes.map(({ code }) => code)).toEqual(Array(50).fill(0))
  }, 90_000)

  it('F18 asks AWS whose the keys are, if told to', async () => {
    const sts = ['--verify-identity', '--region', 'eu-west-1', '--sts-endpoint', aws.endpoint]
    const { code, stderr } = await ekm(...flags, '--role-arn', ROLE, ...sts)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(aws.calls.at(-1)?.action).toBe('GetCallerIdentity')
  })

  it('says in one line on stderr that the broker refused, exit code 1', async () => {
    const { code, stdout, stderr } = await ekm(...flags, '--role-arn', 'arn:aws:iam::444455556666:role/writer')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^hardbound aws ekm: .*403 policy_denied, request .*\[ERR_EKM_BROKER_REFUSED\]\n$/)
  })

  it('is refused by a broker whose rules do not take go-v1', async () => {
    const { code, stderr } = await ekm(...flags, '--role-arn', ROLE, '--protocol', 'go-v1', '--session-name', 'app')
    expect(code).toBe(1)
    expect(stderr).toContain('403 policy_denied')
  })

  it('T16 does not talk to a broker of another authority', async () => {
    const other = await makeFolder()
    const { caFile } = await makeBroker(other)
    const { code, stderr } = await ekm('--broker', broker.url, '--audience', AUDIENCE, '--ca', caFile)
    await other.remove()
    expect(code).toBe(1)
    expect(stderr).toContain('[ERR_EKM_BROKER_UNTRUSTED]')
  })

  it('C04 says so where there is no launcher', async () => {
    const { code, stderr } = await ekm(...flags, '--socket', `${folder.path}/none.sock`)
    expect(code).toBe(1)
    expect(stderr).toContain('[ERR_EKM_NOT_ATTESTABLE]')
  })

  it.each([
    ['nothing', [], '--broker'],
    ['no audience', ['--broker', 'https://broker.example.com'], '--audience'],
    ['nobody to trust', ['--broker', 'https://broker.example.com', '--audience', 'a'], '--ca'],
    ['C05 a broker without TLS', ['--broker', 'http://broker.example.com', '--audience', 'a'], '--broker'],
    ['an unknown flag', ['--secret', 'hunter2'], '--secret'],
    ['an argument', ['hunter2'], 'only flags'],
    ['a flag without its value', ['--broker'], '--broker'],
    ['a value where there is none', ['--no-assume-role=hunter2'], '--no-assume-role'],
    ['a protocol that is not', ['--broker', 'x', '--audience', 'a', '--protocol', 'hunter2'], '--protocol'],
    ['a length that is none', ['--broker', 'x', '--audience', 'a', '--duration', 'hunter2'], '--duration'],
    ['Go-v1 flags without Go-v1', ['--broker', 'x', '--audience', 'a', '--no-assume-role'], '--protocol go-v1'],
    [
      'an endpoint without TLS',
      [
        '--broker',
        'x',
        '--audience',
        'a',
        '--verify-identity',
        '--region',
        'eu-west-1',
        '--sts-endpoint',
        'http://hunter2.example.com',
      ],
      '--sts-endpoint',
    ],
    [
      'an endpoint for nothing',
      ['--broker', 'x', '--audience', 'a', '--sts-endpoint', 'https://hunter2.example.com'],
      '--sts-endpoint',
    ],
    ['identity without a region', ['--broker', 'x', '--audience', 'a', '--verify-identity'], '--region'],
  ])('C15 F18 exit code 2 for %s: names the flag, not the value', async (_, args, named) => {
    const { code, stdout, stderr } = await ekm(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(named)
    expect(stderr).not.toContain('hunter2')
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('names a file that is not there', async () => {
    const { code, stderr } = await ekm('--broker', broker.url, '--audience', AUDIENCE, '--ca', '/nowhere/ca.pem')
    expect(code).toBe(1)
    expect(stderr).toContain('--ca: /nowhere/ca.pem')
  })

  it('F18 survives a reader that has gone', async () => {
    const child = spawn(process.execPath, [COMMAND, 'aws', 'ekm', ...flags], { env: ENV, stdio: 'pipe' })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(1)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('is one small file that needs nothing but Node, the cache on use, and the AWS SDK to verify an identity', async () => {
    const bundle = await readFile(new URL('../dist/aws-ekm.cjs', import.meta.url), 'utf8')
    const needs = [...bundle.matchAll(/(?:require|import)\("([^"]+)"\)/g)].map(([, name = '']) => name)
    expect(needs.filter((name) => !isBuiltin(name)).sort()).toEqual(['./library-cache.cjs', '@aws-sdk/client-sts'])
    expect(bundle.length).toBeLessThan(65_536)
    expect(bundle).not.toMatch(/\bfetch\(|\bzod\b|commander/)
  })

  it('teaches with an example', async () => {
    const { code, stdout, stderr } = await ekm('--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('credential_process = hardbound aws ekm --broker')
  })
})

describe('hardbound aws ekm, with a broker that asks for certificates and takes Go-v1 and PKI tokens', () => {
  let strict: RunningBroker
  let client: string[]
  let refusedClient: string[]

  beforeAll(async () => {
    const certified = async (name: string) => {
      const { certPem, keyPem, spkiSha256 } = await made.pki.issue({ commonName: name, usage: 'client' })
      const cert = await folder.write(`${name}.pem`, certPem)
      return { flags: ['--cert', cert, '--key', await folder.write(`${name}-key.pem`, keyPem)], spkiSha256 }
    }
    const [good, bad] = [await certified('good'), await certified('bad')]
    client = good.flags
    refusedClient = bad.flags
    const rule = {
      ...POLICY.rules[0],
      protocols: ['v2', 'go-v1'],
      workload: { issuer: 'google-pki', image_digests: [IMAGE_DIGEST] },
      peer: { spki_sha256: [good.spkiSha256, bad.spkiSha256] },
    }
    const config = {
      ...made.config,
      tls: { ...made.config.tls, client_ca_file: 'ca.pem', refused_spki_sha256: [bad.spkiSha256] },
      attestation: { audience: AUDIENCE, issuers: [{ type: 'google-pki', root_sha256: [issuer.pkiRootSha256] }] },
      audit: { file: 'audit-strict.jsonl' },
      go_v1: { audience: 'https://go.example.com' },
      policy: { ...POLICY, rules: [rule] },
    }
    strict = await runBroker(await folder.write('strict.yaml', JSON.stringify(config)))
  })
  afterAll(() => strict?.stop())

  const ask = (audience: string, ...args: string[]) =>
    ekm('--broker', strict.url, '--audience', audience, '--ca', made.caFile, '--socket', launcher.socketPath, ...args)

  it('gets credentials with a certificate and a token of type PKI', async () => {
    expect((await ask(AUDIENCE, ...client, '--token-type', 'PKI')).code).toBe(0)
  })

  it('gets credentials over Go-v1, for its own audience', async () => {
    const goV1 = [...client, '--token-type', 'PKI', '--protocol', 'go-v1', '--role-arn', ROLE, '--region', 'eu-west-1']
    expect((await ask('https://go.example.com', ...goV1)).code).toBe(0)
    expect((await ask(AUDIENCE, ...goV1)).stderr).toContain('401 attestation_rejected')
  })

  it('J07 is refused with a token of type OIDC', async () => {
    expect((await ask(AUDIENCE, ...client)).stderr).toContain('401 attestation_rejected')
  })

  it('T01 T06 gets nowhere without a certificate, or with one whose key is refused', async () => {
    const without = await ask(AUDIENCE, '--token-type', 'PKI', '--timeout', '5')
    const refused = await ask(AUDIENCE, ...refusedClient, '--token-type', 'PKI', '--timeout', '5')
    expect([without.code, refused.code]).toEqual([1, 1])
    expect(without.stdout + refused.stdout).toBe('')
  })
})
