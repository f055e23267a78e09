import { readFile } from 'node:fs/promises'
import { startAws, startConnectProxy, startTlsFront, type TestAws } from '@hardbound/testkit'
import {
  startAwsKms,
  startGoogleKms,
  startVault,
  type TestAwsKms,
  type TestGoogleKms,
  type TestVault,
} from '@hardbound/testkit/kms'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { COMMAND, type Folder, hardbound, makeFolder, ROLE, runProcess, USER } from './helpers.ts'

/** Who may use the KMS: somebody else than the user whose secret is in it. */
const KMS_USER = {
  accessKeyId: 'AKIAI44QH8DHBEXAMPLE',
  secretAccessKey: 'je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/kms',
}
const VECTORS = new URL('../../hmac-signer-kms/test/vectors/tink-keysets.json', import.meta.url)

let folder: Folder
let aws: TestAws
let awsKms: TestAwsKms
let google: TestGoogleKms
let vault: TestVault
let env: Record<string, string>
beforeAll(async () => {
  ;[folder, aws, awsKms, google, vault] = await Promise.all([
    makeFolder(),
    startAws(),
    startAwsKms(),
    startGoogleKms(),
    startVault(),
  ])
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  awsKms.addUser(KMS_USER)
  const account = { type: 'service_account', ...google.addServiceAccount(), token_uri: google.tokenUri }
  env = {
    AWS_ACCESS_KEY_ID: KMS_USER.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KMS_USER.secretAccessKey,
    GOOGLE_APPLICATION_CREDENTIALS: await folder.write('account.json', JSON.stringify(account)),
    VAULT_TOKEN: vault.addToken(),
  }
})
afterAll(() => Promise.all([aws.close(), awsKms.close(), google.close(), vault.close(), folder.remove()]))
beforeEach(() => {
  aws.calls.length = 0
})

const SESSION = ['--access-key-id', USER.accessKeyId, '--region', 'eu-west-1']
const kms = (args: readonly string[], more: Record<string, string> = {}) =>
  hardbound(['aws', 'kms', '--sts-endpoint', aws.endpoint, '--dangerously-allow-http', ...SESSION, ...args], {
    env: { ...env, ...more },
  })

/** Puts the secret there with `kms wrap`, and runs the line that it prints. */
async function wrapAndRun(args: readonly string[]) {
  const wrapped = await hardbound(['kms', 'wrap', '--json', '--dangerously-allow-http', ...SESSION, ...args], {
    env,
    stdin: USER.secretAccessKey,
  })
  expect(wrapped.stderr).not.toContain('hardbound:') // the SDK has a word about versions of Node
  const { line } = JSON.parse(wrapped.stdout) as { line: string }
  const words = line.replace('credential_process = hardbound ', '').split(' ')
  const more = ['--sts-endpoint', aws.endpoint, '--role-arn', ROLE]
  return runProcess(process.execPath, [COMMAND, ...words, ...more], { PATH: process.env.PATH ?? '', ...env })
}

function expectSession({ code, stdout, stderr }: { code: number | null; stdout: string; stderr: string }) {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccessKeyId: expect.stringMatching(/^ASIA/) })
  expect(aws.calls.map(({ action, principal }) => [action, principal])).toEqual([['AssumeRole', USER.arn]])
  expect(stdout).not.toContain(USER.secretAccessKey)
}

describe('hardbound aws kms', () => {
  it('AWS KMS: a session with what kms wrap has printed, and one Decrypt', async () => {
    const key = ['--key', awsKms.addKey(), '--kms-endpoint', awsKms.endpoint]
    const outcome = await wrapAndRun([
      ...key,
      '--out',
      `${folder.path}/aws.json`,
      '--encryption-context',
      'purpose=sigv4',
    ])
    expectSession(outcome)
    expect(awsKms.calls.map(({ operation }) => operation)).toEqual(['Encrypt', 'Decrypt', 'Decrypt', 'Decrypt'])
    expect(awsKms.calls.every(({ principal }) => principal === KMS_USER.arn)).toBe(true)
  })

  it('Google Cloud KMS: a session with what kms wrap has printed', async () => {
    const key = ['--key', google.addKey(), '--kms-endpoint', `http://${google.host}:${google.port}`]
    expectSession(await wrapAndRun([...key, '--out', `${folder.path}/google.json`, '--aad', 'sigv4']))
  })

  it('Vault: a session with what kms wrap has printed', async () => {
    const place = ['--vault', vault.address, '--vault-key', 'wrapped']
    expectSession(await wrapAndRun([...place, '--vault-auth', 'token:env:VAULT_TOKEN']))
  })

  it('Vault by AppRole and by Kubernetes', async () => {
    vault.addKey('transit', 'aws', Buffer.from(`AWS4${USER.secretAccessKey}`))
    vault.addAppRole({ roleId: 'role', secretId: 'secret' })
    const subject = 'system:serviceaccount:prod:signer'
    vault.addKubernetesRole({ role: 'signer', subject })
    const secretId = await folder.write('secret-id', 'secret')
    const jwt = await folder.write('jwt', vault.serviceAccountToken({ subject }))
    for (const auth of [`approle:role:file:${secretId}`, `kubernetes:signer:file:${jwt}`]) {
      aws.calls.length = 0
      const place = ['--vault', vault.address, '--vault-key', 'aws', '--vault-auth', auth]
      expectSession(await kms([...place, '--role-arn', ROLE]))
    }
  })

  it('a keyset that Tink has made', async () => {
    const { kekMaterialHex, awsKeyArn, cases } = JSON.parse(await readFile(VECTORS, 'utf8')) as {
      kekMaterialHex: string
      awsKeyArn: string
      cases: { keyset: string }[]
    }
    awsKms.addKey({ arn: awsKeyArn, material: Buffer.from(kekMaterialHex, 'hex') })
    const keyset = await folder.write('keyset.json', cases[0]!.keyset)
    const user = { ...USER, secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' } // of the vectors
    aws.addUser(user)
    const kek = ['--kek', `aws-kms://${awsKeyArn}`, '--kms-endpoint', awsKms.endpoint]
    const outcome = await kms(['--tink-keyset', keyset, ...kek, '--role-arn', ROLE])
    aws.addUser(USER)
    expectSession(outcome)
  })

  it('goes to STS through a proxy that wants a password, and to Vault without', async () => {
    vault.addKey('transit', 'aws', Buffer.from(`AWS4${USER.secretAccessKey}`))
    const [proxy, sts] = await Promise.all([startConnectProxy(), startTlsFront(aws.endpoint, 'sts.example.com')])
    proxy.target = sts.authority
    const place = ['--vault', vault.address, '--vault-key', 'aws', '--vault-auth', 'token:env:VAULT_TOKEN']
    const there = ['--sts-endpoint', 'https://sts.example.com', '--sts-ca', await folder.write('ca.pem', sts.caPem)]
    const flags = [...SESSION, ...place, ...there, '--dangerously-allow-http', '--role-arn', ROLE]
    const through = (...more: string[]) =>
      hardbound(['aws', 'kms', ...flags, '--proxy', proxy.url, ...more], { env: { ...env, PROXY: 'me:pass:w@rd' } })
    expectSession(await through('--proxy-auth', 'env:PROXY'))
    proxy.refusal = 407
    const refused = await through()
    await Promise.all([proxy.close(), sts.close()])
    const authorization = `Basic ${Buffer.from('me:pass:w@rd').toString('base64')}`
    expect(proxy.asked[0]).toEqual({ authority: 'sts.example.com:443', authorization })
    expect(proxy.asked[1]).toEqual({ authority: 'sts.example.com:443', authorization: undefined })
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('answered 407 to CONNECT') })
  })

  it('M15 another key than was enrolled', async () => {
    vault.addKey('transit', 'aws', Buffer.from(`AWS4${USER.secretAccessKey}`))
    const place = ['--vault', vault.address, '--vault-key', 'aws', '--vault-auth', 'token:env:VAULT_TOKEN']
    const outcome = await kms([...place, '--known-answer', '0'.repeat(32)])
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[ERR_HMAC_KNOWN_ANSWER]\n') })
    expect(aws.calls).toEqual([])
  })

  it('M15 another key than was enrolled, in an envelope', async () => {
    const key = ['--key', awsKms.addKey(), '--kms-endpoint', awsKms.endpoint]
    const out = `${folder.path}/another.json`
    const wrapped = await hardbound(['kms', 'wrap', '--dangerously-allow-http', ...key, '--out', out], {
      env,
      stdin: USER.secretAccessKey,
    })
    expect(wrapped.code).toBe(0)
    const place = ['--envelope', out, '--kms-endpoint', awsKms.endpoint]
    const outcome = await kms([...place, '--known-answer', '0'.repeat(32)])
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[ERR_HMAC_KNOWN_ANSWER]\n') })
    expect(aws.calls).toEqual([])
  })

  it('M25 a token that Vault refuses is not shown', async () => {
    const place = ['--vault', vault.address, '--vault-key', 'aws', '--vault-auth', 'token:env:VAULT_TOKEN']
    const outcome = await kms(place, { VAULT_TOKEN: 'hvs.canary' })
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[ERR_HMAC_DENIED]\n') })
    expect(outcome.stderr).not.toContain('canary')
  })

  it('does not ask itself for the keys to ask AWS KMS with', async () => {
    const key = ['--key', awsKms.addKey(), '--kms-endpoint', awsKms.endpoint]
    const out = `${folder.path}/loop.json`
    const wrapped = await hardbound(['kms', 'wrap', '--dangerously-allow-http', ...key, '--out', out], {
      env,
      stdin: USER.secretAccessKey,
    })
    expect(wrapped.code).toBe(0)
    const line = [...SESSION, '--dangerously-allow-http', '--kms-endpoint', awsKms.endpoint, '--envelope', out].join(
      ' ',
    )
    const process_ = `credential_process = ${process.execPath} ${COMMAND} aws kms ${line}`
    const config = await folder.write('config', `[default]\n${process_}\n`)
    const outcome = await runProcess(
      process.execPath,
      [COMMAND, 'aws', 'kms', ...line.split(' '), '--sts-endpoint', aws.endpoint],
      { PATH: process.env.PATH ?? '', AWS_CONFIG_FILE: config, AWS_EC2_METADATA_DISABLED: 'true' },
    )
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[ERR_HMAC_DENIED]\n') })
  })

  it.each([
    ['no place', [], '--envelope, --vault and --tink-keyset'],
    ['two places', ['--envelope', 'x', '--tink-keyset', 'y'], '--envelope, --vault and --tink-keyset'],
    ['a keyset without its KEK', ['--tink-keyset', 'y'], 'go together'],
    ['a KEK without a keyset', ['--envelope', 'y', '--kek', 'aws-kms://'], 'go together'],
    [
      'Vault without a key',
      ['--vault', 'https://v.example.com', '--vault-auth', 'token:env:VAULT_TOKEN'],
      '--vault-key',
    ],
    ['Vault without a login', ['--vault', 'https://v.example.com', '--vault-key', 'k'], '--vault-auth'],
    [
      'a token as it is',
      ['--vault', 'https://v.example.com', '--vault-key', 'k', '--vault-auth', 'hvs.canary'],
      'must be token:',
    ],
    ['a flag that is not one', ['--vault-token', 'hvs.canary'], 'unknown flag --vault-token'],
  ] as [string, string[], string][])('refuses %s', async (_, args, message) => {
    const outcome = await kms(args)
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: 2, stdout: '' })
    expect(outcome.stderr).toContain(message)
    expect(outcome.stderr).not.toContain('canary')
  })

  it('plain HTTP to a Vault needs its flag', async () => {
    const place = ['--vault', vault.address, '--vault-key', 'aws', '--vault-auth', 'token:env:VAULT_TOKEN']
    const outcome = await hardbound(['aws', 'kms', ...SESSION, ...place], { env })
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('--vault must begin with https://') })
  })
})
