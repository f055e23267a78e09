import { createHmac } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import {
  startAwsKms,
  startGoogleKms,
  startVault,
  type TestAwsKms,
  type TestGoogleKms,
  type TestVault,
} from '@hardbound/testkit/kms'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Folder, hardbound, makeFolder, USER } from './helpers.ts'

const SECRET = USER.secretAccessKey
const KEY = `AWS4${SECRET}`
const ANSWER = createHmac('sha256', KEY).update('hardbound/known-answer/v1').digest('hex').slice(0, 32)

let folder: Folder
let aws: TestAwsKms
let google: TestGoogleKms
let vault: TestVault
let env: Record<string, string>
beforeAll(async () => {
  ;[folder, aws, google, vault] = await Promise.all([makeFolder(), startAwsKms(), startGoogleKms(), startVault()])
  aws.addUser(USER)
  const account = { type: 'service_account', ...google.addServiceAccount(), token_uri: google.tokenUri }
  env = {
    GOOGLE_APPLICATION_CREDENTIALS: await folder.write('account.json', JSON.stringify(account)),
    VAULT_TOKEN: vault.addToken(),
  }
})
afterAll(() => Promise.all([aws.close(), google.close(), vault.close(), folder.remove()]))

const wrap = (args: readonly string[], stdin = `${SECRET}\n`) =>
  hardbound(['kms', 'wrap', '--dangerously-allow-http', ...args], { env, stdin })
const awsArgs = (out: string) => ['--kms-endpoint', aws.endpoint, '--key', aws.addKey(), '--out', out]
const googleArgs = (out: string) => [
  ...['--kms-endpoint', `http://${google.host}:${google.port}`],
  ...['--key', google.addKey(), '--out', out],
]

describe('hardbound kms wrap', () => {
  it('has AWS KMS wrap a secret from stdin, bound to a context', async () => {
    const out = `${folder.path}/aws.json`
    const args = [...awsArgs(out), '--encryption-context', 'purpose=sigv4', '--access-key-id', USER.accessKeyId]
    const { code, stdout, stderr } = await wrap(args)
    expect(code).toBe(0)
    expect(stderr).not.toContain('hardbound:') // the SDK has a word about versions of Node
    expect(stdout).toContain(`known answer  ${ANSWER}\n`)
    expect(stdout).toContain(
      `credential_process = hardbound aws kms --envelope ${out} --kms-endpoint ${aws.endpoint} --dangerously-allow-http --known-answer ${ANSWER} --access-key-id ${USER.accessKeyId} --region eu-west-1\n`,
    )
    expect(stdout).not.toContain(SECRET)
    expect((await stat(out)).mode & 0o777).toBe(0o600)
    const envelope = await readFile(out, 'utf8')
    expect(JSON.parse(envelope)).toMatchObject({ kms: 'aws-kms', context: { purpose: 'sigv4' }, knownAnswer: ANSWER })
    expect(envelope).not.toContain(SECRET)
    // Wrapped, unwrapped, and opened from what was written.
    expect(aws.calls.map(({ operation }) => operation)).toEqual(['Encrypt', 'Decrypt', 'Decrypt'])
    expect((await readdir(folder.path)).filter((it) => it.startsWith('.'))).toEqual([])
  })

  it('has Google Cloud KMS wrap a secret from a file, as JSON', async () => {
    const out = `${folder.path}/google.json`
    const secret = await folder.write('secret', KEY)
    const { code, stdout } = await wrap(
      [...googleArgs(out), '--secret', `file:${secret}`, '--aad', 'sigv4', '--json'],
      '',
    )
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      envelope: out,
      knownAnswer: ANSWER,
      line: expect.stringContaining(`credential_process = hardbound aws kms --envelope ${out}`),
    })
    const context = { additionalAuthenticatedData: Buffer.from('sigv4').toString('base64') }
    expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({ kms: 'google-kms', context })
  })

  it('puts a secret into Vault', async () => {
    const auth = ['--vault-auth', 'token:env:VAULT_TOKEN']
    const args = ['--vault', vault.address, '--vault-key', 'aws', ...auth]
    const { code, stdout, stderr } = await wrap(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(
      `credential_process = hardbound aws kms --vault ${vault.address} --vault-key aws --vault-key-version 1 --vault-auth token:env:VAULT_TOKEN --dangerously-allow-http --known-answer ${ANSWER} --access-key-id AKIA… --region eu-west-1\n`,
    )
    expect(vault.names('transit')).toEqual(['aws'])
    const again = await wrap(args)
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('of this name already? [ERR_HMAC_KEY]') })
  })

  it('does not overwrite a file, and leaves none where it fails', async () => {
    const out = await folder.write('mine.json', 'mine')
    const { code, stderr } = await wrap(awsArgs(out))
    expect({ code, stderr }).toEqual({ code: 1, stderr: `hardbound: --out: ${out} is there already\n` })
    expect(await readFile(out, 'utf8')).toBe('mine')
    const args = awsArgs(`${folder.path}/other.json`)
    aws.setKeyState(args[3]!, 'Disabled')
    const failed = await wrap(args)
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/DisabledException.*\[ERR_HMAC_KEY\]\n$/) })
    expect(await readdir(folder.path)).not.toContain('other.json')
  })

  it.each([
    ['no place', [], 2, '--key or --vault'],
    ['two places', ['--key', 'k', '--vault', 'https://vault.example.com'], 2, '--key or --vault'],
    ['no file', ['--key', 'k'], 2, '--out is required'],
    ['no key', ['--key', 'alias/mine', '--out', '/tmp/x.json'], 2, '--key or --kek'],
    ['an alias', ['--key', 'arn:aws:kms:eu-west-1:111122223333:alias/x', '--out', '/tmp/x.json'], 2, '--key or --kek'],
    ['a context for Google', ['--key', 'projects/p', '--out', 'x', '--encryption-context', 'a=b'], 2, '--aad'],
    ['additional data for AWS', ['--key', 'arn:', '--out', 'x', '--aad', 'b'], 2, '--encryption-context'],
    ['half a context', ['--key', 'arn:', '--out', 'x', '--encryption-context', 'b'], 2, 'key=value'],
    ['Vault without a name', ['--vault', 'https://vault.example.com'], 2, '--vault-key is required'],
    ['Vault without a login', ['--vault', 'https://v.example.com', '--vault-key', 'k'], 2, '--vault-auth is required'],
    [
      'an odd login',
      ['--vault', 'https://v.example.com', '--vault-key', 'k', '--vault-auth', 'x'],
      2,
      '--vault-auth must',
    ],
    [
      'a pin that is none',
      [
        ...['--vault', 'https://v.example.com', '--vault-key', 'k', '--vault-auth', 'token:env:VAULT_TOKEN'],
        ...['--vault-wrapping-key-sha256', 'AB'],
      ],
      2,
      '--vault-wrapping-key-sha256 must be',
    ],
    ['a file for Vault', ['--vault', 'https://v.example.com', '--vault-key', 'k', '--out', 'x'], 2, '--out is for'],
  ] as [string, string[], number, string][])('refuses %s', async (_, args, code, message) => {
    const outcome = await wrap(args)
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code, stdout: '' })
    expect(outcome.stderr).toContain(message)
  })

  it.each([
    ['kms', 'wrap'],
    ['aws', 'kms'],
  ])('%s %s --help teaches with an example', async (...command) => {
    const { code, stdout, stderr } = await hardbound([...command, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/Examples?[:,]/)
    expect(stdout).toContain('Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.')
    expect((await hardbound([command[0]!, '--help'])).stdout).toContain(command[1])
  })

  it('refuses what is no AWS secret, and does not show it', async () => {
    const outcome = await wrap(awsArgs(`${folder.path}/never.json`), 'hunter2-hunter2')
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('--any-secret')
    expect(outcome.stderr).not.toContain('hunter2')
  })
})
