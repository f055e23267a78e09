import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { startAws, type TestAws } from '@hardbound/testkit'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type InstalledGoCommand, installGoCommand } from './go-command.ts'
import { type Folder, hardbound, makeFolder, ROLE, USER } from './helpers.ts'

const run = promisify(execFile)

let aws: TestAws
let swtpm: TestSwtpm
let folder: Folder
let command: InstalledGoCommand
let session: string[]
let path: string
beforeAll(async () => {
  ;[aws, swtpm, folder] = await Promise.all([startAws(), startSwtpm(), makeFolder()])
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  aws.addBucket('reports', { 'june.csv': 'a,b\n' })
  command = await installGoCommand('aws-tpm-process-credential', folder, { AWS_ENDPOINT_URL_STS: aws.endpoint })
  path = swtpm.address.replace('unix:', '')
  session = [`-tpm-path=${path}`, '-aws-region', 'us-east-1', '-aws-access-key-id', USER.accessKeyId]
  await prepareAsTheOriginalsReadmeDoes()
}, 60_000)
afterAll(async () => {
  await Promise.all([aws?.close(), swtpm?.stop(), folder?.remove()])
})

const PARTS = ['-u', 'hmac.pub', '-r', 'hmac.priv']

/** tpm2-tools, in our folder and on our TPM. */
async function bareTool(name: string, ...args: string[]): Promise<void> {
  const env = { PATH: '/usr/bin:/bin', TPM2TOOLS_TCTI: swtpm.tpm2ToolsTcti }
  await run(`tpm2_${name}`, args, { cwd: folder.path, env })
}

/** The same, and leaves nothing in the TPM. */
async function tool(name: string, ...args: string[]): Promise<void> {
  await bareTool(name, ...args)
  for (const kind of ['-t', '-l', '-s']) await bareTool('flushcontext', kind)
}

/** README.md of the original, "Setup", "PCR Policy" and "Password Policy". */
async function prepareAsTheOriginalsReadmeDoes(): Promise<void> {
  await writeFile(`${folder.path}/hmac.key`, `AWS4${USER.secretAccessKey}`)
  await writeFile(`${folder.path}/unique.dat`, Buffer.alloc(2))
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
  await tool(
    'createprimary',
    '-C',
    'o',
    '-G',
    'ecc',
    '-g',
    'sha256',
    '-c',
    'primary.ctx',
    '-a',
    attributes,
    '-u',
    'unique.dat',
  )
  const make = async (name: string, handle: string, ...more: string[]) => {
    await tool('import', '-C', 'primary.ctx', '-G', 'hmac', '-i', 'hmac.key', ...PARTS, ...more)
    await tool('encodeobject', '-C', 'primary.ctx', ...PARTS, '-o', `${name}.pem`)
    await bareTool('load', '-C', 'primary.ctx', ...PARTS, '-c', 'hmac.ctx')
    await tool('evictcontrol', '-C', 'o', '-c', 'hmac.ctx', handle)
  }
  await make('private', '0x81010002')
  await bareTool('startauthsession', '-S', 'session.dat')
  await tool('policypcr', '-S', 'session.dat', '-l', 'sha256:23', '-L', 'policy.dat')
  await make('pcr', '0x81010003', '-L', 'policy.dat')
  await make('password', '0x81010004', '-p', 'testpwd')
}

/** As tpmcopy, of the original's author, leaves a key: usable with its password, and once to be duplicated to this endorsement key. */
async function transferToEndorsementKey(): Promise<void> {
  await tool('createek', '-c', 'ek.ctx', '-G', 'rsa', '-u', 'ek.pub')
  await tool('readpublic', '-c', 'ek.ctx', '-n', 'ek.name')
  const trial = async (policy: string, ...args: string[]) => {
    await bareTool('startauthsession', '-S', 'trial.dat')
    await tool(policy, '-S', 'trial.dat', ...args)
  }
  await trial('policyauthvalue', '-L', 'use.dat')
  await trial('policyduplicationselect', '-N', 'ek.name', '-L', 'move.dat')
  await trial('policyor', '-L', 'or.dat', 'sha256:use.dat,move.dat')
  await bareTool('startauthsession', '-S', 'parent.dat', '--policy-session')
  await bareTool('policysecret', '-S', 'parent.dat', '-c', 'e')
  const key = ['-G', 'hmac', '-i', 'hmac.key', '-a', 'sign', '-L', 'or.dat', '-p', 'bar']
  await tool('import', '-C', 'ek.ctx', '-P', 'session:parent.dat', ...key, ...PARTS)
  await tool('encodeobject', '-C', 'ek.ctx', ...PARTS, '-o', 'copied.pem')
}

const file = (name: string) => ['-credential-file', `${folder.path}/${name}.pem`]

describe('the AWS CLI with aws-tpm-process-credential as its credential_process', () => {
  /** As in the README of the original, with our key id, role, socket and folder. */
  const profiles = () => ({
    sessiontoken: ` --aws-region=us-east-1 --aws-session-name=mysession --assumeRole=false --persistentHandle=0x81010002 --aws-access-key-id=${USER.accessKeyId}  --duration=3600 --tpm-path=${path}`,
    assumerole: ` --aws-arn="${ROLE}" --aws-region=us-east-1 --aws-session-name=mysession --assumeRole=true --persistentHandle=0x81010002 --aws-access-key-id=${USER.accessKeyId}  --duration=3600  --tpm-path=${path}`,
    sessiontokenfile: ` --aws-region=us-east-1 --aws-session-name=mysession --assumeRole=false --credential-file=${folder.path}/private.pem --aws-access-key-id=${USER.accessKeyId}  --duration=3600 --tpm-path=${path}`,
    assumerolefile: ` --aws-arn="${ROLE}" --aws-region=us-east-1 --aws-session-name=mysession --assumeRole=true --credential-file=${folder.path}/private.pem --aws-access-key-id=${USER.accessKeyId}  --duration=3600 --tpm-path=${path}`,
  })

  it.each([
    ['sessiontoken', USER.arn],
    ['assumerole', 'arn:aws:sts::444455556666:assumed-role/reader/mysession'],
    ['sessiontokenfile', USER.arn],
    ['assumerolefile', 'arn:aws:sts::444455556666:assumed-role/reader/mysession'],
  ])("F18 profile %s of the original's README is who it says", async (profile, arn) => {
    const args = ['sts', 'get-caller-identity', '--output', 'json', '--profile', profile]
    const { code, stdout, stderr } = await command.awsCli(profiles(), aws.endpoint, ...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Arn: arn })
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

describe('aws-tpm-process-credential', () => {
  it('prints what the original prints', async () => {
    const { code, stdout, stderr } = await command.run([...session, '-persistentHandle', '0x81010002', '-duration=900'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      /^\{"Version":1,"AccessKeyId":"ASIA\w+","SecretAccessKey":"[^"]+","SessionToken":"[^"]+","Expiration":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}\n$/,
    )
    expect(aws.calls.at(-1)).toMatchObject({ action: 'GetSessionToken', params: { DurationSeconds: '900' } })
  })
  it('names the session of a role with gcp- and a UUID', async () => {
    const { code } = await command.run([...session, ...file('private'), '-assumeRole', `-aws-arn=${ROLE}`])
    expect(code).toBe(0)
    expect(aws.calls.at(-1)?.params.RoleSessionName).toMatch(/^gcp-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/)
  })
  it.each([
    ['at a handle', ['-persistentHandle=0x81010003']],
    ['in a file', () => file('pcr')],
  ])('uses a key %s that is bound to a PCR', async (_, key) => {
    const args = [...session, ...(typeof key === 'function' ? key() : key), '-pcrs=23']
    expect(await command.run(args)).toMatchObject({ code: 0, stderr: '' })
  })
  it('M03 takes a password from the environment, and with a warning from a flag, which wins', async () => {
    const args = [...session, '--persistentHandle=0x81010004']
    expect(await command.run(args, { TPM_KEY_AUTH: 'testpwd' })).toMatchObject({ code: 0, stderr: '' })
    const { code, stderr } = await command.run([...args, '-keyPass', 'testpwd'], { TPM_KEY_AUTH: 'wrong horse' })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^aws-tpm-process-credential: warning: -keyPass: [^\n]+TPM_KEY_AUTH\n$/)
    const wrong = await command.run(args, { TPM_KEY_AUTH: 'wrong horse' })
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong.stderr).toMatch(/^aws-tpm-process-credential: [^\n]+\[ERR_HMAC_DENIED\]\n$/)
    expect(wrong.stderr).not.toContain('horse')
  })
  it('encrypts what goes to the TPM whose name is given, and to no other', async () => {
    const { stdout } = await hardbound(['tpm', 'name', '--tpm', swtpm.address, '--key', 'ek-rsa'])
    const args = [...session, '-persistentHandle=0x81010002', '-tpm-session-encrypt-with-name']
    expect(await command.run([...args, stdout.trim()])).toMatchObject({ code: 0, stderr: '' })
    const { code, stderr } = await command.run([...args, `000b${'ab'.repeat(32)}`])
    expect(code).toBe(1)
    expect(stderr).toContain('ERR_HMAC_UNTRUSTED')
  })
  it('uses a key under the endorsement key, whatever its file says', async () => {
    const args = [
      '--tpm',
      swtpm.address,
      '--access-key-id',
      USER.accessKeyId,
      '--use-ek-parent',
      '--region',
      'us-east-1',
    ]
    const pem = `${folder.path}/ek.pem`
    expect((await hardbound(['tpm', 'import', ...args, '--out', pem], { stdin: USER.secretAccessKey })).code).toBe(0)
    expect(await command.run([...session, '-credential-file', pem, '--useEKParent'])).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect((await command.run([...session, '-credential-file', pem])).code).toBe(1)
  })
  it('uses a key that tpmcopy has transferred to the endorsement key', async () => {
    await transferToEndorsementKey()
    const args = [...session, ...file('copied'), '--useEKParent']
    expect(await command.run(args, { TPM_KEY_AUTH: 'bar' })).toMatchObject({ code: 0, stderr: '' })
  })
  it('M20 takes TCP on this machine alone, with a warning', async () => {
    const tcp = await startSwtpm({ transport: 'tcp' })
    const { stderr } = await command.run([...session, `-tpm-path=${tcp.address.replace('swtpm:', '')}`])
    await tcp.stop()
    expect(stderr).toMatch(/^[^\n]+warning: -tpm-path: TCP[^\n]+\n[^\n]+ERR_HMAC_KEY[^\n]*\n$/) // this TPM has no key
  })
  it.each([
    ['M20 a TPM across a network', ['-tpm-path=tpm.example.com:2321'], 'over a network'],
    ['M20 a name that only begins like this machine', ['-tpm-path=localhost.example.com:2321'], 'over a network'],
    ['the simulator', ['-tpm-path', 'simulator'], 'swtpm'],
    ['M01 no TPM', ['-tpm-path=/nonexistent/tpmrm0'], 'ERR_HMAC_UNAVAILABLE'],
    ['no key', ['-persistentHandle=0'], '-credential-file or -persistentHandle'],
    ['a handle of another kind', ['-persistentHandle=0x40000001'], '-persistentHandle'],
    ['a handle that has nothing', ['-persistentHandle', '0x81010099'], 'ERR_HMAC_KEY'],
    ['a key file that is not there', ['-credential-file', '/nonexistent.pem'], '-credential-file: /nonexistent.pem'],
    ['a key file that is none', ['-credential-file', '/etc/hostname'], '-credential-file is not'],
    ['PCRs that are none', ['-pcrs=a'], '-pcrs'],
    ['a name that is none', ['-tpm-session-encrypt-with-name=ab'], '-tpm-session-encrypt-with-name'],
    ['no region', ['-aws-region='], '-aws-region'],
    ['no access key id', ['-aws-access-key-id='], '-aws-access-key-id'],
    ['a role without its ARN', ['-assumeRole'], '-aws-arn'],
    ['a session without a name', ['-assumeRole', `-aws-arn=${ROLE}`, '-aws-session-name='], '-aws-session-name'],
    ['a session that is too short', ['-duration=899'], '-duration'],
  ])('refuses %s in one line, exit code 1', async (_, more, why) => {
    const { code, stdout, stderr } = await command.run([...session, ...more])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^aws-tpm-process-credential: [^\n]+\n$/)
    expect(stderr).toContain(why)
    expect(stderr).not.toMatch(/ --\w/)
  })
  it.each([
    ['in clear to somewhere', 'http://sts.example.com', {}],
    ['to something else', 'file:///etc/passwd', {}],
  ])('C05 does not talk %s, though the environment says so', async (_, url) => {
    const { code, stderr } = await command.run([...session, '-persistentHandle=0x81010002'], {
      AWS_ENDPOINT_URL_STS: url,
    })
    expect(code).toBe(1)
    expect(stderr).toContain('AWS_ENDPOINT_URL')
    expect(stderr).not.toContain(url)
  })
  it.each([
    ['AWS_ENDPOINT_URL', (here: string) => ({ AWS_ENDPOINT_URL: here, AWS_ENDPOINT_URL_STS: '' })],
    ['localhost', (here: string) => ({ AWS_ENDPOINT_URL_STS: here.replace('127.0.0.1', 'localhost') })],
  ])('finds STS by %s', async (_, env) => {
    expect(await command.run([...session, '-persistentHandle=0x81010002'], env(aws.endpoint))).toMatchObject({
      code: 0,
    })
  })
  it('names AWS_CA_BUNDLE where that is not there', async () => {
    const { code, stderr } = await command.run(session, { AWS_CA_BUNDLE: '/nonexistent.pem' })
    expect(code).toBe(1)
    expect(stderr).toContain('AWS_CA_BUNDLE: /nonexistent.pem')
  })
  it('shows its flags and version', async () => {
    const help = await command.run(['-h'])
    expect(help).toMatchObject({ code: 0, stdout: '' })
    expect(help.stderr).toMatch(/^Usage of aws-tpm-process-credential:\n {2}-assumeRole\n/)
    expect(help.stderr).toContain('  -tpm-path string\n    \t')
    expect(help.stderr).toContain('(default "/dev/tpmrm0")')
    const wrong = await command.run(['-keypass=testpwd'])
    expect(wrong).toEqual({ code: 2, stdout: '', stderr: `flag provided but not defined: -keypass\n${help.stderr}` })
    expect(await command.run(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Version: \d/) })
  })
  it('C15 shows no password of a wrong command line', async () => {
    const { code, stderr } = await command.run(['-keyPass', 'correct horse', '-timeout=hunter2', '-x'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^invalid value for flag -timeout: parse error\nUsage/)
    expect(stderr).not.toMatch(/horse|hunter2/)
  })
})
