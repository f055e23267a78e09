import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { startAws, type TestAws } from '@hardbound/testkit'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { COMMAND, type Folder, hardbound, makeFolder, ROLE, runProcess, USER } from './helpers.ts'

const AWS = '/usr/bin/aws'

let aws: TestAws
let swtpm: TestSwtpm
let folder: Folder
let password: string
/** Credential process as `tpm import` printed it, with how this repository is started and where STS is. */
let line: string
beforeAll(async () => {
  if (!existsSync(AWS))
    throw new Error(`${AWS} is missing: install the AWS CLI (Debian and Ubuntu: apt-get install awscli)`)
  ;[aws, swtpm, folder] = await Promise.all([startAws(), startSwtpm(), makeFolder()])
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  aws.addBucket('reports', { 'june.csv': 'a,b\n', 'july.csv': 'c,d\n' })
  password = await folder.write('password', 'correct horse')
  line = await enrol('--out', `${folder.path}/aws.pem`, '--key-auth', `file:${password}`)
  await configure(line)
})
afterAll(async () => {
  await Promise.all([aws?.close(), swtpm?.stop(), folder?.remove()])
})

async function enrol(...args: string[]): Promise<string> {
  const common = ['--tpm', swtpm.address, '--access-key-id', USER.accessKeyId, '--region', 'eu-west-1', '--json']
  const { stdout } = await hardbound(['tpm', 'import', ...common, ...args], { stdin: USER.secretAccessKey })
  const { line } = JSON.parse(stdout) as { line: string }
  return line.replace('hardbound', `${process.execPath} ${COMMAND}`).concat(` --sts-endpoint ${aws.endpoint}`)
}
const configure = (...lines: string[]) =>
  folder.write('config', ['[default]', 'region = eu-west-1', ...lines, ''].join('\n'))

/** The AWS CLI with nothing but our line in its configuration: no key in its environment or files. */
const awsCli = (...args: string[]) =>
  runProcess(AWS, [...args, '--endpoint-url', aws.endpoint], {
    PATH: '/usr/bin:/bin',
    HOME: folder.path,
    AWS_CONFIG_FILE: `${folder.path}/config`,
    AWS_SHARED_CREDENTIALS_FILE: `${folder.path}/none`,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_PAGER: '',
  })
/** Our own command, as the line has it, with more flags. */
const awsTpm = (...more: string[]) => {
  const [, ...words] = line.replace('credential_process = ', '').split(' ')
  return runProcess(process.execPath, [...words, ...more], { PATH: '/usr/bin:/bin' })
}

describe('the AWS CLI with hardbound aws tpm as its credential_process', () => {
  it('F18 is the user whose secret is in the TPM', async () => {
    const { code, stdout, stderr } = await awsCli('sts', 'get-caller-identity', '--output', 'json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Account: '111122223333', Arn: USER.arn })
    expect(aws.calls.map((it) => it.action)).toEqual(['GetSessionToken', 'GetCallerIdentity'])
  })
  it('lists a bucket in a role, with a key bound to PCRs, all encrypted', async () => {
    const { stdout: name } = await hardbound(['tpm', 'name', '--tpm', swtpm.address, '--key', 'ek-ecc'])
    const encryption = ['--session-encryption-key', 'ek-ecc', '--session-encryption-name', name.trim()]
    const bound = await enrol('--out', `${folder.path}/pcr.pem`, '--pcrs', 'sha256:0,16', ...encryption)
    await configure(`${bound} --role-arn ${ROLE} --session-name tpm`)
    const { code, stdout, stderr } = await awsCli('s3', 'ls', 's3://reports')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('june.csv')
    await configure(line)
  })
  it('uses a key at a handle', async () => {
    await configure(await enrol('--handle', '0x81010001'))
    const { code, stderr } = await awsCli('sts', 'get-caller-identity')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    await configure(line)
  })
  it('M03 shows why it has none, in one line', async () => {
    await folder.write('password', 'wrong horse')
    const { code, stdout, stderr } = await awsCli('sts', 'get-caller-identity')
    await folder.write('password', 'correct horse')
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
    expect(stderr).toContain('ERR_HMAC_DENIED')
    expect(stderr).not.toContain('horse')
  })
})

describe('hardbound aws tpm', () => {
  it('prints what AWS tools read, and nothing else', async () => {
    const { code, stdout, stderr } = await awsTpm('--duration', '900')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      Version: 1,
      AccessKeyId: expect.stringMatching(/^ASIA/),
      SecretAccessKey: expect.any(String),
      SessionToken: expect.any(String),
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    })
  })
  it.each([
    ['M15 another key', ['--known-answer', '00'.repeat(16)], 1, 'ERR_HMAC_KNOWN_ANSWER'],
    ['M01 no TPM', ['--tpm', '/dev/nonexistent'], 1, 'ERR_HMAC_UNAVAILABLE'],
    ['a file that is not there', ['--key', '/nonexistent.pem'], 1, '--key'],
    ['two keys', ['--handle', '0x81010001'], 2, 'either --handle or --key'],
    ['a password as an argument', ['--key-auth', 'correct horse'], 2, 'never arguments'],
    [
      'a duration that is too short, before any password is tried',
      ['--duration', '1', '--key-auth', 'fd:99'],
      2,
      'duration',
    ],
    ['an unknown flag', ['--password', 'x'], 2, '--password'],
    ['a known answer of another form', ['--known-answer', 'abc'], 2, '--known-answer'],
    ['M25 a proxy with a password', ['--proxy', 'http://me:horse@proxy.example.com'], 2, '--proxy-auth'],
    ['a proxy of another kind', ['--proxy', 'socks5://proxy.example.com'], 2, '--proxy must be a URL'],
    ['a password for no proxy', ['--proxy-auth', 'prompt'], 2, '--proxy-auth needs --proxy'],
    [
      'no password',
      ['--proxy', 'http://proxy.example.com', '--proxy-auth', 'env:NONE'],
      1,
      '--proxy-auth: environment',
    ],
    ['encryption to nobody', ['--session-encryption-key', 'ek-rsa'], 2, '--session-encryption-name'],
    ['M20 a TCP address', ['--tpm', 'swtpm:127.0.0.1:2321'], 2, '--dangerously-allow-tcp'],
  ])('refuses %s', async (_, more, expected, why) => {
    const { code, stdout, stderr } = await awsTpm(...more)
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' })
    expect(stderr).toMatch(/^hardbound aws tpm: [^\n]+\n$/)
    expect(stderr).toContain(why)
    expect(stderr).not.toContain('horse')
  })
  it('M06 says so and ends, where a TPM has no room for anything', async () => {
    const path = `${folder.path}/full.sock`
    const full = createServer((client) =>
      client.on('error', () => {}).on('data', () => client.write(Buffer.from('80010000000a00000902', 'hex'))),
    )
    await new Promise<void>((resolve) => full.listen({ path }, resolve))
    const { code, stdout, stderr } = await awsTpm('--tpm', `unix:${path}`)
    await new Promise((resolve) => full.close(resolve))
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('ERR_HMAC_UNAVAILABLE')
  })
  it('M05 says so and ends, where a device never answers', async () => {
    // A terminal at which nobody types takes what is written, and a read of it never returns.
    const terminal = spawn('script', ['-qec', 'stty raw -echo; tty; exec sleep 20', '/dev/null'])
    const [first] = (await once(terminal.stdout, 'data')) as [Buffer]
    const path = /\/dev\/pts\/\d+/.exec(first.toString())?.[0] ?? ''
    const started = performance.now()
    const { code, stdout, stderr } = await awsTpm('--tpm', path, '--tpm-timeout', '1')
    terminal.kill('SIGKILL')
    await once(terminal, 'exit')
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
    expect(stderr).toMatch(/^hardbound aws tpm: [^\n]+\[ERR_HMAC_TIMEOUT\]\n$/)
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})
