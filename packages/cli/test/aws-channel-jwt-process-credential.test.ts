import {
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestIssuer,
  type TestLauncher,
} from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type InstalledGoCommand, installGoCommand } from './go-command.ts'
import {
  type Folder,
  IMAGE_DIGEST,
  makeBroker,
  makeFolder,
  POLICY,
  ROLE,
  type RunningBroker,
  runBroker,
  USER,
} from './helpers.ts'

const NAME = 'server.example.com'
const AUDIENCE = `https://${NAME}`

let folder: Folder
let issuer: TestIssuer
let launcher: TestLauncher
let aws: TestAws
let broker: RunningBroker
let command: InstalledGoCommand
let made: Awaited<ReturnType<typeof makeBroker>>
/** Of the broker, on this machine. */
let host: string
let clientFlags: string[]

beforeAll(async () => {
  folder = await makeFolder()
  ;[issuer, aws] = await Promise.all([startIssuer(), startAws()])
  launcher = await startLauncher({ issuer })
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  aws.addBucket('reports', { 'june.csv': 'a,b\n' })
  made = await makeBroker(folder, { issuer, aws })
  const server = await made.pki.issue({ commonName: 'broker', dns: [NAME, 'localhost'] })
  const client = await made.pki.issue({ commonName: 'client', usage: 'client' })
  const rule = {
    ...POLICY.rules[0],
    protocols: ['go-v1'],
    workload: { image_digests: [IMAGE_DIGEST] },
    peer: { spki_sha256: [client.spkiSha256] },
  }
  const config = {
    ...made.config,
    tls: {
      certificate_file: await folder.write('server.crt', server.certPem),
      key_file: await folder.write('server.key', server.keyPem),
      client_ca_file: 'ca.pem',
    },
    go_v1: { audience: AUDIENCE },
    policy: { ...POLICY, rules: [rule, { ...rule, id: 'self', grant: { aws: { action: 'get_session_token' } } }] },
  }
  broker = await runBroker(await folder.write('broker.yaml', JSON.stringify(config)))
  host = `localhost:${new URL(broker.url).port}`
  const files = {
    cert: await folder.write('client.crt', client.certPem),
    key: await folder.write('client.key', client.keyPem),
  }
  clientFlags = ['-use-mtls', '-cert', files.cert, '-key', files.key]
  command = await installGoCommand('aws-channel-jwt-process-credential', folder, {})
})
afterAll(async () => {
  await broker?.stop()
  await Promise.all([launcher?.close(), issuer?.close(), aws?.close()])
  await folder?.remove()
})

const flags = () => [
  `--host=${host}`,
  `--endpoint=${AUDIENCE}:${host.split(':')[1]}/token`,
  `--audience=${AUDIENCE}`,
  `--sts-sni=${NAME}`,
  `--trust-ca=${made.caFile}`,
  `--attestation_token_path=${launcher.socketPath}`,
]
const role = () => [...flags(), ...clientFlags, `-aws-arn=${ROLE}`, '-use-assume-role']

describe('the AWS CLI with aws-channel-jwt-process-credential as its credential_process', () => {
  /** As in the README of the original, with our host, names, files, role and launcher. */
  const profiles = () => {
    const [cert, key] = [`${folder.path}/client.crt`, `${folder.path}/client.key`]
    const common = `--host=${host} --endpoint=${AUDIENCE}:${host.split(':')[1]}/token --audience=${AUDIENCE}`
    const tls = `--sts-sni=${NAME} --trust-ca=${made.caFile} --use-mtls=true   --cert=${cert} --key=${key}  `
    return {
      sessiontoken: `   ${common} --audience=${AUDIENCE} ${tls} --attestation_token_path=${launcher.socketPath}`,
      assumerole: `   ${common} --audience=${AUDIENCE} ${tls} --aws-arn="${ROLE}"   --use-assume-role=true --attestation_token_path=${launcher.socketPath}`,
    }
  }

  it.each([
    ['sessiontoken', new RegExp(`^${USER.arn}$`)],
    ['assumerole', /^arn:aws:sts::444455556666:assumed-role\/reader\/./],
  ])("F18 profile %s of the original's README is who it says", async (profile, arn) => {
    const args = ['sts', 'get-caller-identity', '--output', 'json', '--profile', profile]
    const { code, stdout, stderr } = await command.awsCli(profiles(), aws.endpoint, ...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Arn: expect.stringMatching(arn) })
  })
  it('lists a bucket', async () => {
    const { code, stdout } = await command.awsCli(
      profiles(),
      aws.endpoint,
      's3',
      'ls',
      'reports',
      '--profile',
      'assumerole',
    )
    expect(code).toBe(0)
    expect(stdout).toContain('june.csv')
  })
})

describe('aws-channel-jwt-process-credential', () => {
  it('prints what the original prints', async () => {
    const { code, stdout, stderr } = await command.run(role())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      /^\{"Version":1,"AccessKeyId":"ASIA\w+","SecretAccessKey":"[^"]+","SessionToken":"[^"]+","Expiration":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}\n$/,
    )
    expect(aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole', params: { RoleArn: ROLE, DurationSeconds: '900' } })
  })
  it('checks the certificate for the host that it connects to, without -sts-sni', async () => {
    expect(await command.run([...role(), '-sts-sni='])).toMatchObject({ code: 0 }) // localhost
    const { code, stderr } = await command.run([...role(), '-sts-sni=', `-host=127.0.0.1:${host.split(':')[1]}`])
    expect(code).toBe(1)
    expect(stderr).toContain('[ERR_EKM_BROKER_UNTRUSTED]')
  })
  it('T01 shows no certificate where -use-mtls does not say so', async () => {
    const { code, stdout } = await command.run([...role(), '-use-mtls=false'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })
  it('K01 says that the broker refused, and not what it sent', async () => {
    launcher.claims = { submods: { container: { image_digest: `sha256:${'00'.repeat(32)}` } } }
    const { code, stdout, stderr } = await command.run(role())
    launcher.claims = {}
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^aws-channel-jwt-process-credential: [^\n]*403[^\n]*\[ERR_EKM_BROKER_REFUSED\]\n$/)
  })
  it.each([
    ['no host', ['-host='], '-host is required'],
    ['no endpoint', ['-endpoint='], '-endpoint is required'],
    ['no audience', ['-audience='], '-audience is required'],
    ['no authority', ['-trust-ca='], '-trust-ca is required'],
    ['a role without its ARN', ['-aws-arn='], '-aws-arn'],
    ['a role that is none', ['-aws-arn=reader'], '-aws-arn'],
    ['a session without a name', ['-aws-session-name='], '-aws-session-name'],
    ['a session that is too short', ['-duration=899'], '-duration'],
    ['C05 a broker without TLS', [`-endpoint=http://${NAME}`], '-endpoint'],
    ['a host without a port', ['-host=localhost'], '-host'],
    ['a certificate that is not there', ['-cert=/nonexistent.pem'], '-cert: /nonexistent.pem'],
    ['a certificate without its file', ['-cert='], '-cert'],
    ['a key that is none', ['-key=/etc/hostname'], '-cert and -key'],
    ['authorities that are none', ['-trust-ca=/etc/hostname'], 'ERR_EKM'],
    ['C04 no launcher', ['-attestation_token_path=/nonexistent.sock'], '[ERR_EKM_NOT_ATTESTABLE]'],
  ])('refuses %s in one line, exit code 1', async (_, more, why) => {
    const { code, stdout, stderr } = await command.run([...role(), ...more])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^aws-channel-jwt-process-credential: [^\n]+\n$/)
    expect(stderr).toContain(why)
  })
  it('shows its flags and version', async () => {
    const { code, stdout, stderr } = await command.run(['-help'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toContain('(default "/run/container_launcher/teeserver.sock")')
    expect(stderr).toContain('(default 900)')
    expect(await command.run(['-version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Version: \d/) })
  })
})
