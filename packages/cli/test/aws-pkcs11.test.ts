import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { startAws, type TestAws } from '@hardbound/testkit'
import { createSlowModule, createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { COMMAND, type Folder, hardbound, makeFolder, ROLE, runProcess, USER } from './helpers.ts'

const AWS = '/usr/bin/aws'

let aws: TestAws
let softHsm: TestSoftHsm
let folder: Folder
/** Credential process as `pkcs11 import` printed it, with how this repository is started and where STS is. */
let line: string
beforeAll(async () => {
  if (!existsSync(AWS))
    throw new Error(`${AWS} is missing: install the AWS CLI (Debian and Ubuntu: apt-get install awscli)`)
  ;[aws, softHsm, folder] = await Promise.all([startAws(), createSoftHsm({ tokenLabel: 'my token' }), makeFolder()])
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  aws.addBucket('reports', { 'june.csv': 'a,b\n', 'july.csv': 'c,d\n' })
  const args = ['--uri', softHsm.uri('aws'), '--access-key-id', USER.accessKeyId, '--region', 'eu-west-1', '--json']
  const { stdout } = await hardbound(['pkcs11', 'import', ...args], { stdin: USER.secretAccessKey, env: softHsm.env })
  line = (JSON.parse(stdout) as { line: string }).line
    .replace('hardbound', `${process.execPath} ${COMMAND}`)
    .concat(` --sts-endpoint ${aws.endpoint}`)
  await configure(line)
})
afterAll(async () => {
  await Promise.all([aws?.close(), softHsm?.remove(), folder?.remove()])
})

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
    ...softHsm.env,
  })

/** Our own command, with a key of this token unless told otherwise. */
function awsPkcs11(more: readonly string[] = [], command = COMMAND, env = {}) {
  const session = ['--access-key-id', USER.accessKeyId, '--region', 'eu-west-1', '--sts-endpoint', aws.endpoint]
  const args = ['aws', 'pkcs11', '--uri', softHsm.uri('aws'), ...session, ...more]
  return runProcess(process.execPath, [command, ...args], { PATH: '/usr/bin:/bin', ...softHsm.env, ...env })
}

describe('the AWS CLI with hardbound aws pkcs11 as its credential_process', () => {
  it('F18 is the user whose secret is in the token alone', async () => {
    const { code, stdout, stderr } = await awsCli('sts', 'get-caller-identity', '--output', 'json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Account: '111122223333', Arn: USER.arn })
    expect(aws.calls.map((it) => it.action)).toEqual(['GetSessionToken', 'GetCallerIdentity'])
  })

  it('lists a bucket in a role', async () => {
    await configure(`${line} --role-arn ${ROLE}`)
    const { code, stdout, stderr } = await awsCli('s3', 'ls', 's3://reports')
    await configure(line)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('june.csv')
  })

  it('takes the same line by way of a shell, as the AWS SDKs run it', async () => {
    const command = line.replace('credential_process = ', '')
    const { code, stdout } = await runProcess('/bin/sh', ['-c', command], { PATH: '/usr/bin:/bin', ...softHsm.env })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccessKeyId: expect.stringMatching(/^ASIA/) })
  })
})

describe('hardbound aws pkcs11', () => {
  it('reads the PIN from where --pin says', async () => {
    const uri = softHsm.uri('aws').replace(/&pin-source=.*/, '')
    expect(await awsPkcs11(['--uri', uri, '--pin', `file:${softHsm.pinFile}`])).toMatchObject({ code: 0, stderr: '' })
    expect((await awsPkcs11(['--uri', uri])).stderr).toContain('wants a PIN')
  })

  it('M09 says so while the token is out, and goes on when it is back', async () => {
    await softHsm.removeToken()
    const out = await awsPkcs11()
    await softHsm.restoreToken()
    expect(out).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[ERR_HMAC_UNAVAILABLE]') })
    expect(await awsPkcs11()).toMatchObject({ code: 0 })
  })

  it('M16 tries a wrong PIN once, however often it is started', async () => {
    const wrong = await folder.write('pin', 'secret-but-wrong')
    const outcomes = []
    for (let at = 0; at < 3; at++) outcomes.push(await awsPkcs11(['--pin', `file:${wrong}`]))
    expect(outcomes[0]!.stderr).toContain('CKR_PIN_INCORRECT [ERR_HMAC_DENIED]')
    for (const { stderr } of outcomes.slice(1)) expect(stderr).toContain('[ERR_HMAC_LOCKED]')
    for (const { stderr } of outcomes) expect(stderr).not.toContain('secret-but-wrong')
    expect((await awsPkcs11()).stderr).toContain('[ERR_HMAC_LOCKED]')
    expect(await awsPkcs11(['--retry-pin'])).toMatchObject({ code: 0 })
    expect(await awsPkcs11()).toMatchObject({ code: 0 })
  })

  it('M27 ends although the module hangs', async () => {
    const slow = await createSlowModule({ modulePath: softHsm.modulePath, signMs: 600_000 })
    const uri = softHsm.uri('aws').replace(softHsm.modulePath, slow.modulePath)
    const flags = ['--uri', uri, '--allow-module', slow.folder, '--pkcs11-timeout', '1']
    const { code, stdout, stderr } = await awsPkcs11(flags)
    await slow.remove()
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
    expect(stderr).toContain('[ERR_HMAC_TIMEOUT]')
  })

  it('says what to type where pkcs11js is missing, and still has its help', async () => {
    const alone = join(folder.path, 'alone')
    await mkdir(join(alone, 'bin'), { recursive: true })
    await cp(join(dirname(COMMAND), '..', 'dist'), join(alone, 'dist'), { recursive: true })
    await cp(COMMAND, join(alone, 'bin', 'hardbound.cjs'))
    await writeFile(join(alone, 'package.json'), '{}')
    const outcome = await awsPkcs11([], join(alone, 'bin', 'hardbound.cjs'))
    expect(outcome).toMatchObject({ code: 1, stdout: '' })
    expect(outcome.stderr).toMatch(
      /^hardbound aws pkcs11: .*pkcs11js is not installed.*npm install pkcs11js@2 \[ERR_HMAC_MODULE\]\n$/,
    )
    // M14: nor is one taken from where the environment says.
    const marker = join(folder.path, 'loaded')
    for (const where of ['named', join('home', '.node_modules')]) {
      await mkdir(join(folder.path, where, 'pkcs11js'), { recursive: true })
      const code = `require('fs').writeFileSync(${JSON.stringify(marker)}, '')`
      await writeFile(join(folder.path, where, 'pkcs11js', 'index.js'), code)
    }
    const env = { NODE_PATH: join(folder.path, 'named'), HOME: join(folder.path, 'home') }
    const named = await awsPkcs11([], join(alone, 'bin', 'hardbound.cjs'), env)
    expect({ stderr: named.stderr, loaded: existsSync(marker) }).toEqual({ stderr: outcome.stderr, loaded: false })
    expect(await awsPkcs11(['--help'], join(alone, 'bin', 'hardbound.cjs'))).toMatchObject({ code: 0, stderr: '' })
  })

  it('M14 loads modules from allowed places alone', async () => {
    const module = join(folder.path, 'module.so')
    await symlink(softHsm.modulePath, module)
    const copy = join(folder.path, 'copy.so')
    await copyFile(softHsm.modulePath, copy)
    const uri = (path: string) => ['--uri', softHsm.uri('aws').replace(softHsm.modulePath, path)]
    expect(await awsPkcs11(uri(module))).toMatchObject({ code: 0 }) // it is really in /usr/lib
    expect((await awsPkcs11(uri(copy))).stderr).toContain('[ERR_HMAC_MODULE]')
    expect(await awsPkcs11([...uri(copy), '--allow-module', folder.path])).toMatchObject({ code: 0 })
  })

  it.each([
    ['M15 another key', ['--known-answer', '00'.repeat(16)], 1, 'ERR_HMAC_KNOWN_ANSWER'],
    ['M11 no such key', ['--uri', 'pkcs11:object=none?module-name=softhsm2'], 1, 'wants a PIN'],
    ['a URI that is none', ['--uri', 'pkcs11:a'], 2, '--uri'],
    ['a URI without a key', ['--uri', 'pkcs11:token=a'], 2, '--uri'],
    ['M13 a PIN in the URI', ['--uri', 'pkcs11:object=a?pin-value=1234'], 2, 'must not hold the PIN'],
    ['M13 a PIN in the path of the URI', ['--uri', 'pkcs11:object=a;pin-value=1234'], 2, 'pin-source'],
    ['M13 a PIN in the URI, in capitals', ['--uri', 'pkcs11:object=a?PIN-VALUE=1234'], 2, 'pin-source'],
    ['M13 a PIN in the URI by another name', ['--uri', 'pkcs11:object=a?pin=1234'], 2, 'pin-source'],
    ['M14 a relative place for modules', ['--allow-module', 'lib'], 2, '--allow-module'],
    ['M13 a PIN as an argument', ['--pin', '1234'], 2, 'never arguments'],
    ['a duration that is too short, before any PIN is read', ['--duration', '1', '--pin', 'fd:99'], 2, 'duration'],
    ['an unknown flag', ['--slot', '0'], 2, '--slot'],
    ['a known answer of another form', ['--known-answer', 'abc'], 2, '--known-answer'],
  ])('refuses %s', async (_, more, expected, why) => {
    const { code, stdout, stderr } = await awsPkcs11(more)
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' })
    expect(stderr).toMatch(/^hardbound aws pkcs11: [^\n]+\n$/)
    expect(stderr).toContain(why)
    expect(stderr).not.toContain('1234')
  })
})
