import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { awsConfigCheck } from '../src/doctor/aws-config-check.ts'
import { contextOf, lines } from './doctor-context.ts'
import { type Folder, makeFolder } from './helpers.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const KEYS = `aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = ${SECRET}\n`
let home: Folder
let bin: string
beforeEach(async () => {
  home = await makeFolder()
  bin = join(home.path, 'bin')
  await mkdir(join(home.path, '.aws'), { mode: 0o700 })
  await mkdir(bin)
  for (const name of ['hardbound', 'aws_signing_helper', 'aws-tpm-process-credential', 'aws-pkcs-process-credential']) {
    await writeFile(join(bin, name), '#!/bin/sh\n', { mode: 0o755 })
  }
})
afterEach(() => home.remove())

async function check(files: { config?: string; credentials?: string }, env: Record<string, string> = {}) {
  for (const [name, content] of Object.entries(files)) await home.write(`.aws/${name}`, content)
  const findings = await awsConfigCheck(contextOf({}, { home: home.path, env: { PATH: bin, ...env } }))
  const shown = JSON.stringify(findings)
  expect(shown).not.toMatch(/hunter2/)
  expect(shown).not.toContain(SECRET)
  expect(shown).not.toContain('AKIAIOS')
  return findings
}
const at = (line: number, profile = 'default', file = 'config') =>
  `${home.path}/.aws/${file}:${line}: profile "${profile}"`
const processLine = (words: string) => check({ config: `[default]\ncredential_process = ${words}\n` })
/** Without those that are fine, and where they are. */
const wrongWith = async (words: string) =>
  lines((await processLine(words)).filter(({ status }) => status !== 'ok')).map((it) =>
    it.replace(`${at(2)}: credential_process`, '…'),
  )

describe('awsConfigCheck: files', () => {
  it('finds nothing where there is nothing', async () => {
    expect(await check({})).toMatchObject([{ check: 'aws-config', status: 'absent' }])
  })

  it('is content with files in which nothing is wrong', async () => {
    const findings = await check({
      config: '[default]\nregion = x\n[profile "a b"]\n[sso-session x]\n',
      credentials: '',
    })
    expect(lines(findings)).toEqual([
      `ok: nothing is wrong with ${home.path}/.aws/config and ${home.path}/.aws/credentials`,
    ])
  })

  it('names files that variables name and are not there', async () => {
    const findings = await check({}, { AWS_CONFIG_FILE: '~/none', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/x' })
    expect(lines(findings)).toEqual([
      `problem: ${home.path}/none does not exist`,
      'problem: /nonexistent/x does not exist',
    ])
  })

  it('F13 names lines that tools stumble over', async () => {
    const config =
      '[profile a]\nregion = x\nregion = y\n  credential_process = z\n[profile a]\nhunter2\n[b]\ncredential_process = z\n'
    const findings = lines(await check({ config })).map((it) => it.replace(`${home.path}/.aws/config`, '…'))
    expect(findings).toEqual([
      expect.stringMatching(/^problem: …:6: is neither/),
      expect.stringMatching(/^problem: …:4: credential_process is indented/),
      expect.stringMatching(/^problem: …:3: this key is there twice \(line 2\)/),
      expect.stringMatching(/^problem: …:5: this section is there twice \(line 1\)/),
      expect.stringMatching(/^warning: …:7: is not the section of a profile/),
    ])
  })

  it('F03 says who may read and write', async () => {
    await check({ config: '[default]\n', credentials: `[x]\n${KEYS}` })
    await chmod(join(home.path, '.aws', 'config'), 0o666)
    await chmod(join(home.path, '.aws', 'credentials'), 0o644)
    await chmod(join(home.path, '.aws'), 0o770)
    const findings = lines(await check({}))
    expect(findings).toEqual([
      expect.stringMatching(/^problem: others may write to .*config \(mode 0666\)/),
      expect.stringMatching(/^warning: others may read .*credentials, which has keys in it \(mode 0644\)/),
      expect.stringMatching(/^problem: others may write to .*\.aws \(mode 0770\)/),
      expect.stringMatching(/^warning: .*long-lived/),
    ])
  })
})

describe('awsConfigCheck: keys', () => {
  it('warns of long-lived ones, not of those of a session', async () => {
    const session = KEYS.replace('AKIA', 'ASIA')
    const findings = await check({ credentials: `[a]\n${KEYS}[b]\n${session}aws_session_token = hunter2\n` })
    expect(findings).toMatchObject([{ status: 'warning', cure: expect.stringContaining('hardbound tpm import') }])
    expect(findings[0]?.message).toMatch(`${at(2, 'a', 'credentials')}: a long-lived key`)
  })

  it.each([
    ['config', 'the AWS CLI and boto3 run the process, other SDKs take the keys'],
    ['credentials', 'the keys win, and the process is never run'],
  ])('says which wins where a profile has a process and keys in %s', async (file, wins) => {
    const both = { config: '[profile a]\ncredential_process = hardbound aws tpm\n', credentials: '' }
    if (file === 'config') both.config += KEYS
    else both.credentials = `[a]\n${KEYS}`
    const findings = lines(await check(both)).filter((it) => it.startsWith('problem'))
    expect(findings).toEqual([expect.stringContaining(`${at(2, 'a')}): ${wins}`)])
  })

  it('finds one half without the other', async () => {
    const findings = await check({ credentials: `[a]\naws_secret_access_key = ${SECRET}\n` })
    expect(lines(findings)).toEqual([expect.stringMatching(/^problem: .*aws_access_key_id is missing/)])
  })

  it.each<[string, Record<string, string>, string]>([
    [
      'long-lived',
      { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: SECRET },
      'warning: AWS_ACCESS_KEY_ID is set to a long-lived',
    ],
    [
      'of a session',
      { AWS_ACCESS_KEY_ID: 'ASIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: SECRET },
      'warning: AWS_ACCESS_KEY_ID is set: it comes before',
    ],
    ['without its secret', { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE' }, 'problem: AWS_ACCESS_KEY_ID is set without'],
    ['without its id', { AWS_SECRET_ACCESS_KEY: SECRET }, 'problem: AWS_SECRET_ACCESS_KEY is set without'],
  ])('sees a key in the environment: %s', async (_, env, expected) => {
    expect(lines(await check({}, env))).toEqual([expect.stringContaining(expected)])
  })
})

describe('awsConfigCheck: environment', () => {
  const IMDS = 'AWS_EC2_METADATA_SERVICE_ENDPOINT'
  const FULL = 'AWS_CONTAINER_CREDENTIALS_FULL_URI'
  const RELATIVE = 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'
  const TOKEN = 'AWS_CONTAINER_AUTHORIZATION_TOKEN'
  it.each<[Record<string, string>, RegExp[]]>([
    [{ [IMDS]: 'http://127.0.0.1:9911/' }, [/^absent/]],
    [{ [IMDS]: '127.0.0.1:9911' }, [/no URL/]],
    [{ [IMDS]: 'http://127.0.0.1:9911/', AWS_EC2_METADATA_DISABLED: 'True' }, [/^problem: AWS_EC2_METADATA_DISABLED/]],
    [{ [FULL]: 'http://127.0.0.1:9911/x' }, [/^absent/]],
    [{ [FULL]: 'https://example.com/x' }, [/^absent/]],
    [{ [FULL]: 'http://example.com/hunter2' }, [/^problem: .*to another machine/]],
    [{ [FULL]: 'http://[::1]:1/', [RELATIVE]: '/hunter2' }, [/^problem: .*RELATIVE_URI is set, too/]],
    [{ [FULL]: 'http://localhost:1/', [IMDS]: 'http://127.0.0.1:1' }, [/^warning: .*comes before/]],
    [{ [TOKEN]: 'hunter2' }, [/^warning: .*no endpoint/]],
    [
      { [FULL]: 'http://127.0.0.1:1/', [TOKEN]: 'hunter2', [`${TOKEN}_FILE`]: '/nonexistent' },
      [/^warning: .*both set/, /^problem: .*does not exist/],
    ],
    [{ AWS_PROFILE: 'hunter2' }, [/^problem: AWS_PROFILE names/]],
  ])('looks at %j', async (env, expected) => {
    expect(lines(await check({}, env))).toEqual(expected.map((it) => expect.stringMatching(it)))
  })

  it('looks at the file of the token', async () => {
    const file = await home.write('token', 'hunter2\n', 0o644)
    expect(lines(await check({}, { [FULL]: 'http://127.0.0.1:1/', [`${TOKEN}_FILE`]: file }))).toEqual([
      expect.stringContaining('has a line feed in it'),
      expect.stringContaining('open to others (mode 0644)'),
    ])
    await home.write('token', 'hunter2')
    expect(await check({}, { [FULL]: 'http://127.0.0.1:1/', [`${TOKEN}_FILE`]: file })).toMatchObject([
      { status: 'absent' },
    ])
  })

  it('takes the profile that AWS_PROFILE names from either file', async () => {
    const findings = await check({ credentials: '[a]\nregion = x\n' }, { AWS_PROFILE: 'a' })
    expect(findings).toMatchObject([{ status: 'ok' }])
  })
})

describe('awsConfigCheck: credential_process', () => {
  it('F18 is content with lines as this package prints them', async () => {
    const [key, password] = await Promise.all([home.write('aws.pem', '', 0o644), home.write('password', 'x')])
    const line = `hardbound aws tpm --tpm /dev/tpmrm0 --key ${key} --key-auth file:${password} --access-key-id AKIAIOSFODNN7EXAMPLE --region eu-west-1 --cache`
    expect(lines(await processLine(line))).toEqual([`ok: ${at(2)}: credential_process: hardbound aws tpm is there`])
  })

  it.each([
    ['/nonexistent/x --secret hunter2', ['problem: …: its program is not there, or may not be executed']],
    [
      '~/bin/x hunter2',
      [
        'problem: …: its program is not there, or may not be executed: most tools do not know what ~ is',
        'warning: …: it has characters that a shell acts on; the AWS CLI passes them on as they are, the SDKs for JavaScript and Go run a shell',
      ],
    ],
    ['hunter2', ['problem: …: its program is not there, or may not be executed']],
    ['"hunter2', ['problem: …: a quotation has no end']],
    ['', ['problem: … is empty']],
    ['hardbound aws tpm --kye hunter2', ['problem: …: unknown flag --kye']],
    ['hardbound aws tpm --key', ['problem: …: --key has no value, or one where it takes none']],
    ['hardbound aws tpm hunter2', ['problem: …: only flags are expected']],
    ['hardbound aws hunter2', ['problem: …: it is none of the commands that print credentials: hardbound aws …']],
    ['hardbound azure ekm --broker x', ['problem: …: it prints a token of Azure, which AWS tools do not understand']],
    ['hardbound aws ekm --cert /nonexistent', ['problem: …: the file of --cert does not exist']],
    [
      'hardbound aws tpm --key-auth prompt',
      ['warning: …: --key-auth asks somebody: nobody may be there when a tool starts it'],
    ],
    ['hardbound aws tpm --key-auth env:HUNTER', ['warning: …: --key-auth names a variable that is not set here']],
    [
      'hardbound aws kms --vault-auth approle:x:file:/nonexistent',
      ['problem: …: the file of --vault-auth does not exist'],
    ],
    ['hardbound aws roles-anywhere --certificate pkcs11:token=a --private-key handle:0x81000101', []],
    ['hardbound aws roles-anywhere --store folder:/nonexistent', ['problem: …: the file of --store does not exist']],
    [
      'hardbound aws pkcs11 --uri pkcs11:token=a;object=b',
      [
        'warning: …: it has characters that a shell acts on; the AWS CLI passes them on as they are, the SDKs for JavaScript and Go run a shell',
      ],
    ],
    [
      'hardbound aws pkcs11 --uri "pkcs11:token=a;object=b?pin-source=file:/nonexistent%20x"',
      ['problem: …: the file of --uri does not exist'],
    ],
    [
      'aws_signing_helper serve',
      ['problem: …: its first word is not credential-process, the only command that prints credentials'],
    ],
    ['aws_signing_helper credential-process --role-arn', ['problem: …: flag needs an argument: -role-arn']],
    [
      'aws_signing_helper credential-process \\  --certificate /nonexistent',
      [expect.stringMatching(/^problem: …: a word that is no flag/)],
    ],
    [
      'aws_signing_helper credential-process --debug --certificate=/nonexistent',
      ['problem: …: the file of --certificate does not exist'],
    ],
    ['aws-tpm-process-credential --foo=hunter2', ['problem: …: flag provided but not defined: -foo']],
    ['aws-tpm-process-credential -assumeRole --duration 3600 --pcrs=1,2', []],
  ])('looks at %s', async (words, expected) => {
    expect(await wrongWith(words)).toEqual(expected)
  })

  it.each([
    ['aws_signing_helper credential-process --pkcs8-password hunter2', '--pkcs8-password', '--key-password file:'],
    ['aws_signing_helper credential-process --tpm-key-password=hunter2', '--tpm-key-password', '--tpm-key-auth file:'],
    ['aws-tpm-process-credential -keyPass hunter2', '--keyPass', 'TPM_KEY_AUTH'],
    ['aws-tpm-process-credential --parentPass=hunter2', '--parentPass', 'TPM_PARENT_AUTH'],
    ['aws-pkcs-process-credential --pkcs-uri "pkcs11:token=a?pin-value=hunter2"', 'pin-value', 'pin-source=file:'],
    ['hardbound aws roles-anywhere --proxy http://me:hunter2@example.com:1', 'a URL has a password', '--proxy-auth'],
  ])('F18 warns of a secret on the line, and names the safe way: %s', async (words, what, cure) => {
    const [warning, ...more] = (await processLine(words)).filter(({ status }) => status !== 'ok')
    expect(warning).toMatchObject({ status: 'warning', message: expect.stringContaining(what) })
    expect(warning?.cure).toContain(cure)
    expect(more).toEqual([])
  })

  it('F15 is done with a long line at once', async () => {
    expect(await processLine(`hardbound https://${':'.repeat(900_000)}`)).not.toEqual([])
  })

  it('tells the original from the drop-in', async () => {
    const line = 'aws_signing_helper credential-process'
    expect(lines(await processLine(line))).toContainEqual(
      expect.stringMatching(/^ok: .*runs the original aws_signing_helper/),
    )
    const installed = await home.write('aws_signing_helper.cjs', '', 0o755)
    const linked = join(home.path, 'aws_signing_helper')
    await symlink(installed, linked)
    expect(lines(await processLine(`${linked} credential-process`))).toEqual([
      `ok: ${at(2)}: credential_process: aws_signing_helper is there`,
    ])
  })

  it('says which files are open to others', async () => {
    const open = await home.write('open', 'x', 0o644)
    await chmod(join(bin, 'hardbound'), 0o777)
    const line = `hardbound aws roles-anywhere --certificate ${open} --private-key ${open} --key-password file:${open}`
    expect(await wrongWith(line)).toEqual([
      'problem: …: others may change hardbound (mode 0777)',
      'warning: …: the file of --private-key is open to others (mode 0644)',
      'problem: …: the file of --key-password is open to others (mode 0644), and is refused',
    ])
  })

  it('says which paths begin nowhere', async () => {
    expect(await wrongWith('hardbound aws tpm --key none.pem')).toEqual([
      'warning: …: the path of --key begins at the folder that a tool is started in',
      'problem: …: the file of --key does not exist',
    ])
  })
})
