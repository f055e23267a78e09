import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { startAws, startConnectProxy, type TestAws } from '@hardbound/testkit'
import { startRolesAnywhere, type TestRolesAnywhere, throttled } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Certificates, EC, makeCertificates, RSA } from './certificates.ts'
import { COMMAND, type Outcome, runProcess } from './helpers.ts'

const AWS = '/usr/bin/aws'
const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
const READER = 'arn:aws:iam::111122223333:role/path/reader'
const AUDITOR = 'arn:aws:iam::444455556666:role/auditor'
const PASSWORD = 'correct horse'

let nowMs: number | undefined
let aws: TestAws
let service: TestRolesAnywhere
let lab: Certificates
beforeAll(async () => {
  if (!existsSync(AWS))
    throw new Error(`${AWS} is missing: install the AWS CLI (Debian and Ubuntu: apt-get install awscli)`)
  ;[aws, lab] = await Promise.all([startAws(), makeCertificates()])
  service = await startRolesAnywhere({ aws, clock: () => nowMs ?? Date.now() })
  service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
  service.addProfile({ arn: PROFILE, roleArns: [READER], acceptRoleSessionName: true, durationSeconds: 7200 })
  aws.addRole({ arn: AUDITOR, trusts: [READER] })
  aws.addBucket('reports', { 'june.csv': 'a,b\n', 'july.csv': 'c,d\n' })
  await lab.leaf('rsa', RSA)
  await lab.leaf('ec')
  await lab.leaf('p384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'])
  await lab.mlDsaLeaf('ml-dsa')
  await lab.leaf('other', EC)
  await lab.write('password', `${PASSWORD}\n`)
  const password = ['-passout', `file:${lab.at('password')}`]
  await lab.openssl('pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-in', 'rsa.key', ...password, '-out', 'rsa-encrypted.key')
  const p12 = ['pkcs12', '-export', '-certfile', 'intermediate.crt', ...password]
  await lab.openssl(...p12, '-in', 'rsa.crt', '-inkey', 'rsa.key', '-out', 'rsa.p12')
  await lab.openssl(...p12, '-in', 'ec.crt', '-inkey', 'ec.key', '-keypbe', 'PBE-SHA1-3DES', '-out', 'ec.p12')
  await lab.leaf('stranger')
})
afterAll(async () => {
  await Promise.all([service?.close(), aws?.close(), lab?.remove()])
})
beforeEach(() => {
  nowMs = undefined
  service.fault = undefined
  for (const list of [service.calls, service.requests, service.refusals]) (list as unknown[]).length = 0
})

const ASKED = ['--trust-anchor-arn', ANCHOR, '--profile-arn', PROFILE, '--role-arn', READER]
/** Flags of a certificate, a key, and the intermediate that leads to the root. */
const pair = (certificate: string, key = certificate) => [
  ...['--certificate', lab.at(`${certificate}.crt`), '--private-key', lab.at(`${key}.key`)],
  ...['--intermediates', lab.at('intermediate.crt')],
]
function rolesAnywhere(flags: readonly string[], { env = {}, stdin = '' } = {}): Promise<Outcome> {
  const args = [COMMAND, 'aws', 'roles-anywhere', ...ASKED, '--endpoint', service.endpoint, ...flags]
  return runProcess(process.execPath, args, { PATH: '/usr/bin:/bin', ...env }, stdin)
}
const password = (name: string) => [name, `file:${lab.at('password')}`]

describe('the AWS CLI with hardbound aws roles-anywhere as its credential_process', () => {
  async function awsCli(flags: readonly string[], ...args: string[]): Promise<Outcome> {
    const line = [
      process.execPath,
      COMMAND,
      'aws',
      'roles-anywhere',
      ...ASKED,
      '--endpoint',
      service.endpoint,
      ...flags,
    ]
    await lab.write('config', `[default]\nregion = us-east-1\ncredential_process = ${line.join(' ')}\n`)
    return runProcess(AWS, [...args, '--endpoint-url', aws.endpoint], {
      PATH: '/usr/bin:/bin',
      HOME: lab.path,
      AWS_CONFIG_FILE: lab.at('config'),
      AWS_SHARED_CREDENTIALS_FILE: lab.at('none'),
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_PAGER: '',
    })
  }

  it('F18 is the role, by the name of the certificate', async () => {
    const { code, stdout, stderr } = await awsCli(pair('rsa'), 'sts', 'get-caller-identity', '--output', 'json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      Account: '111122223333',
      Arn: expect.stringMatching(/^arn:aws:sts::111122223333:assumed-role\/reader\/[0-9a-f]+$/),
    })
    expect(service.calls).toHaveLength(1)
  })
  it('lists a bucket in a further role', async () => {
    const chained = [...pair('ec'), '--assume-role', AUDITOR, '--sts-endpoint', aws.endpoint]
    const { code, stdout, stderr } = await awsCli(chained, 's3', 'ls', 's3://reports')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('june.csv')
    expect(aws.calls.map(({ action }) => action)).toContain('AssumeRole')
  })
  it('S11 shows why it has none, in one line', async () => {
    const { code, stdout, stderr } = await awsCli(pair('ec', 'other'), 'sts', 'get-caller-identity')
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
    expect(stderr).toContain('ERR_RA_MISMATCH')
  })
})

describe('hardbound aws roles-anywhere', () => {
  it('prints what AWS tools read, and nothing else', async () => {
    const { code, stdout, stderr } = await rolesAnywhere([...pair('ec'), '--duration', '900', '--session-name', 'me'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      Version: 1,
      AccessKeyId: expect.stringMatching(/^ASIA/),
      SecretAccessKey: expect.any(String),
      SessionToken: expect.any(String),
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    })
    expect(service.calls).toMatchObject([{ requestedSeconds: 900, roleSessionName: 'me', chainLength: 1 }])
  })

  it.each([
    ['PEM, RSA', () => pair('rsa'), 'RSA-SHA256'],
    ['PEM, P-384', () => pair('p384'), 'ECDSA-SHA256'],
    ['PEM, ML-DSA', () => pair('ml-dsa'), 'MLDSA'],
    ['encrypted PKCS #8', () => [...pair('rsa', 'rsa-encrypted'), ...password('--key-password')], 'RSA-SHA256'],
    ['PKCS #12', () => ['--p12', lab.at('rsa.p12'), ...password('--p12-password')], 'RSA-SHA256'],
    ['old PKCS #12', () => ['--p12', lab.at('ec.p12'), ...password('--p12-password')], 'ECDSA-SHA256'],
    ['a PKCS #12 store', () => ['--store', `p12:${lab.at('ec.p12')}`, ...password('--p12-password')], 'ECDSA-SHA256'],
  ])('signs with %s', async (_, flags, algorithm) => {
    const { code, stderr } = await rolesAnywhere(flags())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(service.calls).toMatchObject([
      { algorithm: `AWS4-X509-${algorithm}`, chainLength: 1, durationSeconds: 7200 },
    ])
    expect(service.calls[0]).not.toHaveProperty('requestedSeconds')
  })

  it('takes one file with everything, also from stdin, and a key from the environment', async () => {
    const parts = await Promise.all(['ec.crt', 'ec.key', 'intermediate.crt'].map((it) => readFile(lab.at(it), 'utf8')))
    const all = await lab.write('all.pem', parts.join(''))
    expect(await rolesAnywhere(['--certificate', all])).toMatchObject({ code: 0, stderr: '' })
    expect(await rolesAnywhere(['--certificate', 'stdin'], { stdin: parts.join('') })).toMatchObject({
      code: 0,
      stderr: '',
    })
    const flags = pair('ec').with(3, 'env:KEY')
    expect(await rolesAnywhere(flags, { env: { KEY: parts[1] } })).toMatchObject({ code: 0, stderr: '' })
  })

  it('S13 takes the one of a folder that the selector matches', async () => {
    const folder = lab.at('folder')
    await mkdir(folder)
    for (const name of ['rsa', 'ec']) {
      for (const end of ['crt', 'key']) await copyFile(lab.at(`${name}.${end}`), `${folder}/${name}.${end}`)
    }
    const flags = ['--store', `folder:${folder}`]
    const several = await rolesAnywhere(flags)
    expect(several).toMatchObject({ code: 1, stderr: expect.stringContaining('[ERR_RA_SELECTOR]') })
    const chain = await Promise.all(['rsa.crt', 'intermediate.crt'].map((it) => readFile(lab.at(it), 'utf8')))
    await writeFile(`${folder}/rsa.crt`, chain.join(''))
    const named = await rolesAnywhere([...flags, '--selector', 'Key=x509SubjectCN,Value=rsa.example.com'])
    expect(named).toMatchObject({ code: 0, stderr: expect.stringMatching(/^$|chmod 600/) })
    expect(service.calls).toMatchObject([{ subject: 'CN=rsa.example.com', chainLength: 1 }])
  })

  it('takes an SVID, and refuses one of another name', async () => {
    await mkdir(lab.at('spire'))
    const svid = [
      '-addext',
      'subjectAltName=URI:spiffe://example.com/job',
      '-addext',
      'keyUsage=critical,digitalSignature',
    ]
    await lab.openssl(
      ...['req', '-x509', '-nodes', ...EC, '-subj', '/O=SPIRE', '-days', '1', '-CA', 'intermediate.crt', '-CAkey'],
      ...['intermediate.key', '-addext', 'basicConstraints=critical,CA:FALSE', ...svid, '-keyout', 'spire/svid.0.key'],
      ...['-out', 'spire/leaf'],
    )
    const chain = (await readFile(lab.at('spire/leaf'), 'utf8')) + (await readFile(lab.at('intermediate.crt'), 'utf8'))
    await writeFile(lab.at('spire/svid.0.pem'), chain)
    const flags = ['--spiffe', lab.at('spire'), '--spiffe-id', 'spiffe://example.com/job']
    expect(await rolesAnywhere(flags)).toMatchObject({ code: 0 })
    const other = await rolesAnywhere(flags.with(3, 'spiffe://example.com/other'))
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('[ERR_RA_CERTIFICATE]') })
  })

  it('S07 says that the clock is wrong, and gets around it', async () => {
    nowMs = Date.now() + 16 * 60_000
    const { code, stdout, stderr } = await rolesAnywhere(pair('ec'))
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 })
    expect(stderr).toMatch(/^hardbound aws roles-anywhere: warning: this machine's clock is 9\d\d s behind[^\n]*\n$/)
  })

  it('says nothing of a try that failed, when the next one does', async () => {
    service.fault = (request, response) => {
      service.fault = undefined
      throttled()(request, response)
    }
    expect(await rolesAnywhere(pair('ec'))).toMatchObject({ code: 0, stderr: '' })
    expect(service.requests).toHaveLength(2)
  })

  it('warns of a key that others can read', async () => {
    await lab.write('open.key', await readFile(lab.at('ec.key'), 'utf8'), 0o644)
    const { code, stderr } = await rolesAnywhere(pair('ec', 'open'))
    expect(code).toBe(0)
    expect(stderr).toMatch(/^hardbound aws roles-anywhere: warning: [^\n]*chmod 600[^\n]*\n$/)
  })

  it('passes on what the further role is asked for, and what STS says', async () => {
    const policy = await lab.write('policy.json', '{"Version":"2012-10-17","Statement":[]}')
    const chained = ['--assume-role', AUDITOR, '--sts-endpoint', aws.endpoint, '--assume-role-session-name', 'audit']
    const more = ['--policy', policy, '--assume-role-duration', '900', '--tag', 'team=blue']
    expect(await rolesAnywhere([...pair('ec'), ...chained, ...more])).toMatchObject({ code: 0, stderr: '' })
    expect(aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole' })
    const denied = await rolesAnywhere([...pair('ec'), ...chained, '--assume-role', AUDITOR.replace('auditor', 'none')])
    expect(denied).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/\[ERR_STS_\w+\]\n$/) })
  })

  it('speaks TLS with the authority of --ca alone', async () => {
    const tls = await startRolesAnywhere({ tls: true })
    tls.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
    tls.addProfile({ arn: PROFILE, roleArns: [READER] })
    const ca = await lab.write('tls-ca.pem', tls.caPem ?? '')
    const flags = [...pair('ec'), '--endpoint', tls.endpoint]
    expect(await rolesAnywhere([...flags, '--ca', ca])).toMatchObject({ code: 0, stderr: '' })
    const untrusted = await rolesAnywhere(flags)
    await tls.close()
    expect(untrusted.stderr).toContain('give it as --ca [ERR_RA_UNTRUSTED]')
  })

  it('goes through a proxy that wants a password', async () => {
    const tls = await startRolesAnywhere({ tls: true })
    tls.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
    tls.addProfile({ arn: PROFILE, roleArns: [READER] })
    const proxy = await startConnectProxy()
    const flags = ['--ca', await lab.write('tls-ca.pem', tls.caPem ?? ''), '--endpoint', tls.endpoint]
    const through = ['--proxy', proxy.url, '--proxy-auth', 'env:PROXY']
    const outcome = await rolesAnywhere([...pair('ec'), ...flags, ...through], { env: { PROXY: 'me:pass:w@rd' } })
    await Promise.all([proxy.close(), tls.close()])
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const authorization = `Basic ${Buffer.from('me:pass:w@rd').toString('base64')}`
    expect(proxy.asked).toEqual([{ authority: new URL(tls.endpoint).host, authorization }])
  })

  it('needs no other package beside it', async () => {
    const alone = lab.at('alone')
    await cp(join(dirname(COMMAND), '..', 'dist'), join(alone, 'dist'), { recursive: true })
    await cp(COMMAND, join(alone, 'bin', 'hardbound.cjs'))
    await writeFile(join(alone, 'package.json'), '{}')
    const args = [
      join(alone, 'bin', 'hardbound.cjs'),
      'aws',
      'roles-anywhere',
      ...ASKED,
      '--endpoint',
      service.endpoint,
    ]
    for (const flags of [
      ['--p12', lab.at('ec.p12'), ...password('--p12-password')],
      pair('ml-dsa'),
      ['--store', `p12:${lab.at('ec.p12')}`, ...password('--p12-password')],
      [...pair('ec'), '--assume-role', AUDITOR, '--sts-endpoint', aws.endpoint],
    ]) {
      expect(await runProcess(process.execPath, [...args, ...flags], {})).toMatchObject({ code: 0, stderr: '' })
    }
    const token = await runProcess(process.execPath, [...args, '--certificate', 'pkcs11:object=ec'], {})
    expect(token.stderr).toMatch(/npm install pkcs11js@2 \[ERR_RA_DEVICE\]\n$/)
  })

  it('warns of intermediates that are not of the certificate', async () => {
    const { code, stderr } = await rolesAnywhere(pair('ec').with(5, lab.at('stranger.crt')))
    expect(code).toBe(1) // the service does not know who issued it
    expect(stderr.split('\n')).toEqual([
      expect.stringContaining('warning: '),
      expect.stringMatching(/--trust-anchor-arn.*\[ERR_RA_REFUSED\]$/),
      '',
    ])
  })

  it('shows help', async () => {
    const { code, stdout, stderr } = await rolesAnywhere(['--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const flag of ['--trust-anchor-arn', '--assume-role', '--p12', '--tpm-key-auth'])
      expect(stdout).toContain(flag)
  })

  it.each([
    ['no identity', () => [], 2, 'one identity is required'],
    ['two identities', () => [...pair('ec'), '--p12', 'x.p12'], 2, 'one identity is required'],
    ['a key without its certificate', () => ['--private-key', lab.at('ec.key')], 2, '--certificate is required'],
    ['an ARN that is none', () => [...pair('ec'), '--role-arn', 'reader'], 2, '--role-arn must be'],
    [
      'an ARN of another region',
      () => [...pair('ec'), '--profile-arn', PROFILE.replace('us-', 'eu-')],
      2,
      '--profile-arn',
    ],
    ['a duration that is too short, before any password is read', () => [...pair('ec'), '--duration', '1', '--key-password', 'fd:99'], 2, '--duration'], // biome-ignore format: one case a line
    ['S03 a session name of other characters', () => [...pair('ec'), '--session-name', 'a b'], 2, '--session-name'],
    [
      'S05 a region that the trust anchor is not in',
      () => [...pair('ec'), '--region', 'eu-west-1'],
      1,
      'ERR_RA_REFUSED',
    ],
    ['an endpoint in clear', () => [...pair('ec'), '--endpoint', 'http://192.0.2.1'], 2, '--endpoint must be'],
    ['both an endpoint and FIPS', () => [...pair('ec'), '--fips'], 2, '--endpoint goes neither with --fips'],
    ['a field of a further role without one', () => [...pair('ec'), '--external-id', 'x'], 2, 'needs --assume-role'],
    ['a further role for too long', () => [...pair('ec'), '--assume-role', AUDITOR, '--assume-role-duration', '7200'], 2, '--assume-role-duration'], // biome-ignore format: one case a line
    ['a word that belongs to nothing', () => [...pair('ec'), 'hunter2'], 2, 'only flags are expected'],
    ['an unknown flag', () => [...pair('ec'), '--cert-selector', 'hunter2'], 2, 'unknown flag --cert-selector'],
    [
      'a password as an argument',
      () => [...pair('rsa', 'rsa-encrypted'), '--key-password', 'hunter2'],
      2,
      'never arguments',
    ],
    [
      'a proxy with a password',
      () => [...pair('ec'), '--proxy', 'http://me:hunter2@proxy.example.com'],
      2,
      '--proxy-auth',
    ],
    [
      'a PIN without a token',
      () => [...pair('ec'), '--pin', 'prompt'],
      2,
      '--pin does not go with a private key in a file',
    ],
    [
      'M13 a PIN in the URI',
      () => ['--certificate', 'pkcs11:object=a?pin-value=hunter2'],
      2,
      '--certificate must not hold the PIN',
    ],
    [
      'a file of a key in a token',
      () => ['--certificate', 'pkcs11:object=a', '--private-key', 'x'],
      2,
      '--private-key must be',
    ],
    [
      'a handle that is none',
      () => ['--certificate', lab.at('ec.crt'), '--private-key', 'handle:x'],
      2,
      '--private-key',
    ],
    ['a store of no kind', () => ['--store', lab.path], 2, '--store must be'],
    ['S13 a selector that is none', () => ['--store', `folder:${lab.path}`, '--selector', 'x'], 2, '--selector'],
    ['a store that this system does not have', () => ['--store', 'system'], 1, 'ERR_RA_STORE'],
    ['a file that is not there', () => ['--certificate', '/nonexistent.pem'], 1, 'ERR_RA_FILE'],
    ['S14 no password', () => pair('rsa', 'rsa-encrypted'), 1, 'ERR_RA_PASSWORD'],
    [
      'S14 a wrong password',
      () => [...pair('rsa', 'rsa-encrypted'), '--key-password', 'env:WRONG'],
      1,
      'ERR_RA_PASSWORD',
    ],
    [
      'S14 a wrong password of PKCS #12',
      () => ['--p12', lab.at('rsa.p12'), '--p12-password', 'env:WRONG'],
      1,
      'ERR_RA_PASSWORD',
    ],
    ['S11 a key of another certificate', () => pair('ec', 'other'), 1, 'ERR_RA_MISMATCH'],
    ['a certificate of an authority', () => pair('intermediate'), 1, 'ERR_RA_CERTIFICATE'],
    [
      'what the service does not trust',
      () => ['--certificate', lab.at('ec.crt'), '--private-key', lab.at('ec.key')],
      1,
      'Untrusted signing certificate',
    ],
  ] as const)('F18 refuses %s', async (_, flags, expected, why) => {
    const { code, stdout, stderr } = await rolesAnywhere(flags(), { env: { WRONG: 'hunter2' } })
    expect({ code, stdout, stderr }).toEqual({ code: expected, stdout: '', stderr: expect.stringContaining(why) })
    expect(stderr).toMatch(/^hardbound aws roles-anywhere: [^\n]+\n$/)
    expect(stderr).not.toContain('hunter2')
  })
})
