import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { request } from 'node:http'
import {
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestIssuer,
  type TestLauncher,
} from '@hardbound/testkit'
import { awsError, startRolesAnywhere, type TestRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Certificates, makeCertificates } from './certificates.ts'
import {
  AUDIENCE,
  COMMAND,
  hardbound,
  makeBroker,
  ROLE,
  type RunningBroker,
  runBroker,
  runProcess,
  USER,
} from './helpers.ts'

const AWS = '/usr/bin/aws'
const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
const READER = 'arn:aws:iam::111122223333:role/path/reader'

interface Served {
  readonly child: ChildProcess
  readonly logs: () => Record<string, unknown>[]
  readonly environment: Record<string, string>
  readonly url: string
}

let aws: TestAws
let issuer: TestIssuer
let launcher: TestLauncher
let service: TestRolesAnywhere
let lab: Certificates
let broker: RunningBroker
let brokerFlags: string[]
const running: ChildProcess[] = []

beforeAll(async () => {
  ;[aws, issuer, lab] = await Promise.all([startAws(), startIssuer(), makeCertificates()])
  launcher = await startLauncher({ issuer })
  service = await startRolesAnywhere({ aws })
  service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
  service.addProfile({ arn: PROFILE, roleArns: [READER], acceptRoleSessionName: true })
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  await lab.leaf('client')
  const { file, caFile } = await makeBroker(lab, { issuer, aws })
  broker = await runBroker(file)
  brokerFlags = ['--broker', broker.url, '--audience', AUDIENCE, '--ca', caFile, '--socket', launcher.socketPath]
})
afterAll(async () => {
  await broker?.stop()
  await Promise.all([launcher?.close(), issuer?.close(), service?.close(), aws?.close()])
  await lab?.remove()
})
beforeEach(() => {
  service.fault = undefined
  ;(service.calls as unknown[]).length = 0
})
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'close')
  }
})

const certificate = () => [
  ...['--certificate', lab.at('client.crt'), '--private-key', lab.at('client.key')],
  ...['--intermediates', lab.at('intermediate.crt'), '--endpoint', service.endpoint],
  ...['--trust-anchor-arn', ANCHOR, '--profile-arn', PROFILE, '--role-arn', READER],
]
const certificateYaml = () => ({
  certificate: 'client.crt',
  private_key: 'client.key',
  intermediates: 'intermediate.crt',
  endpoint: service.endpoint,
  trust_anchor_arn: ANCHOR,
  profile_arn: PROFILE,
  role_arn: READER,
})

/** Starts it and waits until it says where it listens. */
async function serve(...args: string[]): Promise<Served> {
  const env = { PATH: '/usr/bin:/bin', HOME: lab.path }
  const child = spawn(process.execPath, [COMMAND, 'serve', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
  const logs = () =>
    text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const started = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('close', () => reject(new Error(`it did not start: ${text}`)))
    child.stderr.on('data', () => {
      const line = text.endsWith('\n') ? logs().find(({ msg }) => msg === 'listening') : undefined
      if (line !== undefined) resolve(line)
    })
  })
  const { port = 0 } = started.listening as { port?: number }
  const environment = started.environment as Record<string, string>
  return { child, logs, environment, url: `http://127.0.0.1:${port}` }
}

const awsCli = (env: Record<string, string>) =>
  runProcess(AWS, ['sts', 'get-caller-identity', '--output', 'json', '--endpoint-url', aws.endpoint], {
    PATH: '/usr/bin:/bin',
    HOME: lab.path,
    AWS_REGION: 'us-east-1',
    AWS_PAGER: '',
    ...env,
  })

describe('hardbound serve', () => {
  it('I08 gives the AWS CLI the role of a certificate, by the instance metadata', async () => {
    if (!existsSync(AWS)) throw new Error(`${AWS} is missing (Debian and Ubuntu: apt-get install awscli)`)
    const { environment, logs, child } = await serve('roles-anywhere', ...certificate(), '--listen', '127.0.0.1:0')
    expect(environment).toMatchObject({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/?$/),
    })
    for (let at = 0; at < 2; at++) {
      const { code, stdout } = await awsCli(environment)
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ Arn: expect.stringMatching(/:assumed-role\/reader\//) })
    }
    expect(service.calls).toHaveLength(1)
    child.kill('SIGTERM')
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).toBe(0)
    expect(logs().map(({ msg }) => msg)).toEqual(['listening', 'finishing requests under way', 'stopped'])
  })

  it('I08 gives the AWS CLI the role of an attested workload, by the container form', async () => {
    const tokenFile = lab.at('token')
    const args = ['--role-arn', ROLE, '--container', '--token-file', tokenFile, '--environment-file', lab.at('ekm.env')]
    const { child } = await serve('ekm', ...brokerFlags, ...args, '--listen', '127.0.0.1:0')
    const variables = Object.fromEntries(
      (await readFile(lab.at('ekm.env'), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/=(.*)/s).slice(0, 2)),
    ) as Record<string, string>
    expect(variables).toMatchObject({ AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile })
    for (const file of [tokenFile, lab.at('ekm.env')]) expect((await stat(file)).mode & 0o777).toBe(0o600)
    // The AWS CLI of Debian 12 takes the token itself alone.
    const AWS_CONTAINER_AUTHORIZATION_TOKEN = await readFile(tokenFile, 'utf8')
    const { AWS_CONTAINER_CREDENTIALS_FULL_URI = '' } = variables
    const { stdout } = await awsCli({ AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN })
    expect(JSON.parse(stdout)).toMatchObject({ Arn: expect.stringMatching(/:assumed-role\/reader\//) })
    child.kill('SIGINT')
    await once(child, 'close')
    for (const file of [tokenFile, lab.at('ekm.env')]) expect(existsSync(file)).toBe(false)
  })

  it('serves several sources of a file, each by its own secret', async () => {
    const [, url = '', , audience = '', , , , socket = ''] = brokerFlags
    const config = {
      listen: '127.0.0.1:0',
      sources: {
        machine: { roles_anywhere: certificateYaml() },
        workload: {
          ekm: { broker: url, audience, ca: 'ca.pem', socket, role_arn: ROLE },
          environment_file: 'workload.env',
          container: true,
        },
      },
    }
    const file = await lab.write('sources.yaml', JSON.stringify(config))
    const { environment, logs } = await serve('-c', file)
    expect(logs().at(-1)).toMatchObject({
      roles: [{ roleName: 'machine' }, { roleName: 'workload' }],
      others: { workload: { AWS_CONTAINER_CREDENTIALS_FULL_URI: expect.stringMatching(/\/container\/workload$/) } },
    })
    expect(JSON.stringify(logs())).not.toMatch(/TOKEN"/)
    const { AWS_EC2_METADATA_SERVICE_ENDPOINT = '' } = environment
    expect(JSON.parse((await awsCli({ AWS_EC2_METADATA_SERVICE_ENDPOINT })).stdout)).toMatchObject({
      Account: '111122223333',
    })
    const lines = (await readFile(lab.at('workload.env'), 'utf8')).trimEnd().split('\n')
    const second = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<string, string>
    expect(JSON.parse((await awsCli(second)).stdout)).toMatchObject({ Account: '444455556666' })
  })

  it('tells each source of a file from the others: no variable leads to what another one has', async () => {
    const sources = {
      machine: { roles_anywhere: certificateYaml(), container: true, environment_file: 'machine.env' },
      blobs: { azure_ekm: { broker: broker.url, audience: AUDIENCE, ca: 'ca.pem' }, environment_file: 'blobs.env' },
    }
    const file = await lab.write('both.yaml', JSON.stringify({ listen: '127.0.0.1:0', sources }))
    const { environment } = await serve('-c', file)
    const names = async (name: string) =>
      (await readFile(lab.at(name), 'utf8')).split('\n').flatMap((line) => (line === '' ? [] : [line.split('=')[0]]))
    expect((await names('machine.env')).every((it) => it?.startsWith('AWS_'))).toBe(true)
    expect(await names('machine.env')).toContain('AWS_CONTAINER_AUTHORIZATION_TOKEN')
    expect((await names('blobs.env')).some((it) => it?.startsWith('AWS_'))).toBe(false)
    expect(await names('blobs.env')).toContain('IDENTITY_HEADER')
    expect(Object.keys(environment)).toEqual(expect.not.arrayContaining(['IDENTITY_ENDPOINT']))
  })

  it('I16 ends when it is told to, also while the first session hangs', async () => {
    const asked = new Promise<void>((resolve) => (service.fault = () => resolve()))
    const args = ['serve', 'roles-anywhere', ...certificate(), '--listen', '127.0.0.1:0']
    const env = { PATH: '/usr/bin:/bin', HOME: lab.path }
    const child = spawn(process.execPath, [COMMAND, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let text = ''
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    const closed = once(child, 'close')
    await asked
    child.kill('SIGTERM')
    await closed
    expect(text).toContain('"stopped"')
    expect(text).not.toContain('"listening"')
  })

  it('I10 I01 refuses what is not its own, and says so in one line without a secret', async () => {
    const { url, logs, child } = await serve('roles-anywhere', ...certificate(), '--listen', '127.0.0.1:0')
    const answer = await new Promise<number | undefined>((resolve, reject) =>
      request(`${url}/latest/api/token`, { method: 'PUT', headers: { host: 'rebind.example.com' } })
        .on('response', (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end(),
    )
    expect(answer).toBe(403)
    child.kill('SIGTERM')
    await once(child, 'close')
    expect(logs().find(({ msg }) => msg === 'refused')).toMatchObject({ msg: 'refused', reason: 'host', status: 403 })
  })

  it('I16 does not start without a session, and says why', async () => {
    service.fault = awsError(403, 'AccessDeniedException')
    const { code, stdout, stderr } = await hardbound(['serve', 'roles-anywhere', ...certificate()])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const lines = stderr.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[0]!)).toMatchObject({
      msg: 'no new credentials',
      why: expect.stringMatching(/ERR_RA_REFUSED/),
    })
    expect(lines[1]).toMatch(/^hardbound: no session of \S+: .*ERR_RA_REFUSED/)
  })

  it.each([
    [['serve'], /a source is required \(ekm, tpm, pkcs11, kms, roles-anywhere, azure-ekm\), or -c <file>/],
    [['serve', 'vault'], /there is no such source; there are ekm/],
    [['serve', 'ekm'], /--broker is required/],
    [['serve', 'ekm', '--imds'], /--imds does not go with ekm/],
    [['serve', 'azure-ekm', '--container'], /--container does not go with azure-ekm/],
    [['serve', 'ekm', '--token-file', 'x'], /--token-file needs --container/],
    [['serve', 'ekm', '--nonsense'], /unknown flag --nonsense/],
    [['serve', '-c'], /--config has no value/],
    [['update', 'azure-ekm'], /tokens of Azure have no such file/],
  ])('I21 %j is used wrongly', async (args, message) => {
    const { code, stderr } = await hardbound(args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  it('I21 refuses what can not be, before it asks for a session', async () => {
    const wrong = [
      [['--listen', 'unix:relative'], '--listen must be an absolute path'],
      [['--listen', `unix:${lab.at('s')}`, '--environment-file', lab.at('e')], 'no environment file can lead to'],
      [['--listen', '[::2]:0'], '--listen must be a loopback address'],
    ] as const
    for (const [flags, message] of wrong) {
      const { code, stderr } = await hardbound(['serve', 'roles-anywhere', ...certificate(), ...flags])
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) })
    }
    expect(service.calls).toHaveLength(0)
  })

  it.each(['0.0.0.0:9911', '192.0.2.1:9911', '127.0.0.1', '127.0.0.1:99999', 'unix:'])(
    'I21 refuses to listen on %s',
    async (address) => {
      const { code, stderr } = await hardbound(['serve', 'roles-anywhere', ...certificate(), '--listen', address])
      expect(code).toBe(2)
      expect(stderr).toContain('listen must be an address of the loopback')
    },
  )

  it('I21 never takes another port than the one that was asked for', async () => {
    const { url } = await serve('roles-anywhere', ...certificate(), '--listen', '127.0.0.1:0')
    const address = url.replace('http://', '')
    const { code, stderr } = await hardbound(['serve', 'roles-anywhere', ...certificate(), '--listen', address])
    expect(code).toBe(1)
    expect(stderr).toContain('ERR_SERVER_ADDRESS_IN_USE')
  })

  it('names what is wrong in a file of sources, all at once', async () => {
    const file = await lab.write(
      'wrong.yaml',
      JSON.stringify({
        sources: {
          a: { roles_anywhere: { certificat: 'x' } },
          b: { ekm: { broker: 7, verify_identity: 'yes' } },
        },
      }),
    )
    const { code, stderr } = await hardbound(['serve', '-c', file])
    expect(code).toBe(1)
    expect(stderr).toContain('sources.a.roles_anywhere: unknown flag certificat')
    expect(stderr).toContain('sources.b.ekm: verify_identity has no value, or one where it takes none')
    const misfit = {
      a: { roles_anywhere: certificateYaml(), allowed_resources: ['https://storage.azure.com/'] },
      b: { azure_ekm: { broker: broker.url, audience: AUDIENCE, ca: 'ca.pem' }, container: true },
    }
    const misfits = await hardbound([
      'serve',
      '-c',
      await lab.write('misfit.yaml', JSON.stringify({ sources: misfit })),
    ])
    expect(misfits.stderr).toContain('sources.a.allowed_resources: does not go with roles-anywhere')
    expect(misfits.stderr).toContain('sources.b.container: does not go with azure-ekm')
    const none = await lab.write('none.yaml', JSON.stringify({ sources: { a: { container: true } } }))
    expect((await hardbound(['serve', '-c', none])).stderr).toContain('sources.a: must have one of ekm')
  })

  it('teaches', async () => {
    const { code, stdout } = await hardbound(['serve', '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Usage: hardbound serve <source>/)
    expect(stdout).toContain('Exit codes:')
    expect((await hardbound(['serve', 'kms', '--help'])).stdout).toMatch(/^Usage: hardbound serve.*--vault-auth/s)
    expect((await hardbound(['update', 'tpm', '--help'])).stdout).toMatch(/^Usage: hardbound update.*--ek-parent/s)
  })
})

// Root alone can make a file system read-only.
if (process.geteuid?.() === 0)
  describe('hardbound serve, as root', () => {
    it('ends when it is told to, also where its environment file stays', async () => {
      const disk = lab.at('disk')
      await mkdir(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', disk])
      try {
        const flags = ['--listen', '127.0.0.1:0', '--environment-file', `${disk}/env`]
        const { child, logs } = await serve('roles-anywhere', ...certificate(), ...flags)
        execFileSync('mount', ['-o', 'remount,ro', disk])
        child.kill('SIGTERM')
        expect(await once(child, 'close')).toEqual([0, null])
        expect(logs().map(({ msg }) => msg)).toContain('an environment file could not be removed')
        expect(await readdir(disk)).toEqual(['env'])
      } finally {
        execFileSync('umount', [disk])
      }
    })
  })
