import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { parseCommandLine } from '../src/signing-helper/command-line.ts'
import { HelperUsageError } from '../src/signing-helper/usage-error.ts'
import { runProcess } from './helpers.ts'
import { helper, messagesOf } from './signing-helper.ts'

/** What the parser complains of. */
function complaint(line: string | readonly string[]): string {
  try {
    parseCommandLine(typeof line === 'string' ? line.split(' ').filter((it) => it !== '') : line)
    return 'none'
  } catch (error) {
    if (error instanceof HelperUsageError) return error.message
    throw error
  }
}
const parsed = (line: string) => parseCommandLine(line.split(' '))
const badInt = (value: string, why = 'invalid syntax') =>
  `invalid argument "${value}" for "--port" flag: strconv.ParseInt: parsing "${value}": ${why}`
const exclusive = (pair: string, set = pair) =>
  `if any flags in the group [${pair}] are set none of the others can be; [${set}] were all set`
const unknown = (word: string, ...near: string[]) =>
  `unknown command "${word}" for "aws_signing_helper"${
    near.length === 0 ? '' : `\n\nDid you mean this?\n${near.map((it) => `\t${it}\n`).join('')}`
  }`

// Every message below was taken from release 1.8.4 of the original, run beside this one.
describe('parseCommandLine', () => {
  it.each([
    ['serve --foo', 'unknown flag: --foo'],
    ['serve --foo=secret', 'unknown flag: --foo'],
    ['version --foo', 'unknown flag: --foo'],
    ['--version', 'unknown flag: --version'],
    ['--foo serve', 'unknown flag: --foo'],
    ['--debug serve', 'unknown flag: --debug'],
    ['--foo=1 serve', 'unknown flag: --foo'],
    ['read-certificate-data --role-arn x', 'unknown flag: --role-arn'],
    ['serve -h --foo', 'unknown flag: --foo'],
    ['serve -x', "unknown shorthand flag: 'x' in -x"],
    ['serve -xyz', "unknown shorthand flag: 'x' in -xyz"],
    ['serve -hx', "unknown shorthand flag: 'x' in -x"],
    ['serve ---x', 'bad flag syntax: ---x'],
    ['serve --port', 'flag needs an argument: --port'],
    ['serve --certificate', 'flag needs an argument: --certificate'],
    ['serve --port=', badInt('')],
    ['serve --port abc', badInt('abc')],
    ['serve --port 08', badInt('08')],
    ['serve --port _1', badInt('_1')],
    ['serve --port 1__0', badInt('1__0')],
    ['serve --port 0x', badInt('0x')],
    ['serve --port 0b12', badInt('0b12')],
    ['serve --port 1e3', badInt('1e3')],
    ['serve --port 9223372036854775808', badInt('9223372036854775808', 'value out of range')],
    ['serve --port -9223372036854775809', badInt('-9223372036854775809', 'value out of range')],
    [
      'serve --debug=tRue',
      'invalid argument "tRue" for "--debug" flag: strconv.ParseBool: parsing "tRue": invalid syntax',
    ],
    ['serve --debug=', 'invalid argument "" for "--debug" flag: strconv.ParseBool: parsing "": invalid syntax'],
    [
      'serve --help=maybe',
      'invalid argument "maybe" for "-h, --help" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    ['sign-string --format xml', 'invalid argument "xml" for "--format" flag: xml is not included in json,text,bin'],
    [
      'sign-string --digest sha256',
      'invalid argument "sha256" for "--digest" flag: sha256 is not included in SHA256,SHA384,SHA512',
    ],
    ['foo', unknown('foo')],
    ['hel', unknown('hel')],
    ['--foo=1 bar', unknown('bar')],
    ['serv', unknown('serv', 'serve')],
    ['Serve', unknown('Serve', 'serve')],
    ['s', unknown('s', 'serve', 'sign-string')],
    ['c', unknown('c', 'credential-process', 'completion')],
    ['credential-proces', unknown('credential-proces', 'credential-process')],
    ['sgin-string', unknown('sgin-string', 'sign-string')],
    [
      'serve --certificate a --cert-selector b --private-key c',
      exclusive('certificate cert-selector', 'cert-selector certificate'),
    ],
    [
      'serve --no-tpm-key-password --tpm-key-password x --cert-selector y --reuse-pin',
      exclusive('cert-selector reuse-pin'),
    ],
    ['credential-process --tpm-key-password a --pkcs8-password b', exclusive('pkcs8-password tpm-key-password')],
    ['sign-string --no-tpm-key-password --reuse-pin', exclusive('no-tpm-key-password reuse-pin')],
    [
      'update --use-latest-expiring-certificate --intermediates x',
      exclusive('use-latest-expiring-certificate intermediates', 'intermediates use-latest-expiring-certificate'),
    ],
    ['serve --system-store-name MY --certificate x', exclusive('certificate system-store-name')],
  ])('%s: as the original says', (line, message) => {
    expect(complaint(line)).toBe(message)
  })

  it('reads values as the original does', () => {
    expect(parsed('serve --port 0x1F --debug --role-arn a --role-arn=b=c').values).toMatchObject({
      port: 31,
      debug: true,
      'role-arn': 'b=c',
      'system-store-name': 'MY',
      'session-duration': 3600,
    })
    for (const [text, value] of [
      ['0_7', 7],
      ['010', 8],
      ['0o17', 15],
      ['0b1_01', 5],
      ['+5', 5],
      ['-1', -1],
    ]) {
      expect(parsed(`serve --port ${text}`).values.port).toBe(value)
    }
    expect(parsed('update --once=T').values.once).toBe(true)
    expect(parsed('update --once=FALSE').values.once).toBe(false)
    expect(parsed('serve --certificate --debug').values).toMatchObject({ certificate: '--debug', debug: false })
    expect(parsed('--region=x serve').values.region).toBe('x')
    expect([...(parsed('serve --debug=false').values.typed as Set<string>)]).toEqual(['debug'])
  })

  it('knows when help is wanted', () => {
    expect(parsed('serve -h').help).toBe(true)
    expect(parsed('serve x --help').help).toBe(true)
    expect(parsed('serve --help=false').help).toBe(false)
    expect(parsed('-h serve')).toMatchObject({ command: undefined, help: true })
    expect(parsed('--').command).toBeUndefined()
  })

  it('refuses words that the original ignores, and says what is missing', () => {
    expect(complaint('credential-process \\ --role-arn x')).toBe(
      'unexpected argument after credential-process; missing: --profile-arn, --trust-anchor-arn, --certificate',
    )
    expect(complaint('serve --debug x')).toContain('unexpected argument after --debug; missing: --role-arn')
    expect(complaint('version x')).toBe('unexpected argument after version')
    expect(complaint('sign-string --certificate c -- --format')).toBe('unexpected argument after --certificate')
  })

  it('F18 shows nothing that may be a secret', () => {
    for (const line of [
      'credential-process --debug hunter2',
      'credential-process --reuse-pin=hunter2',
      'credential-process --no-tpm-key-password=hunter2',
      'credential-process --pkcs8-pasword=hunter2',
      'credential-process -pkcs8-password=hunter2',
      'credential-process --=hunter2',
    ]) {
      expect(complaint(line)).not.toBe('none')
      expect(complaint(line)).not.toContain('hunter2')
    }
  })

  it('lets nothing through that a terminal acts on', () => {
    expect(complaint(['x\u001b[1m"é'])).toBe(unknown('x\\x1b[1m\\"é'))
    expect(complaint(['serve', '--port', '\u0001\u200b\n'])).toBe(badInt('\\x01\\u200b\\n'))
  })
})

describe('aws_signing_helper', () => {
  it('shows a mistake, how it is used, and the mistake again as a log line', async () => {
    const { code, stdout, stderr } = await helper(['serve', '--foo'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^Error: unknown flag: --foo\nUsage:\n {2}aws_signing_helper serve \[flags\]\n\nFlags:\n/)
    expect(stderr).toContain('\n  -h, --help                              help for serve\n')
    expect(stderr).toContain('\n      --session-duration int              ')
    expect(stderr).toMatch(/\n\n\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d unknown flag: --foo\n$/)
  })

  it('logs in local time', async () => {
    const far = await helper(['serv'], { TZ: 'Pacific/Kiritimati' })
    const day = new Intl.DateTimeFormat('en-CA', { timeZone: 'Pacific/Kiritimati' }).format().replaceAll('-', '/')
    expect(far.stderr).toContain(`\n${day} `)
    expect(far.stderr.replace(/\d{4}\/.*?\d\d:\d\d:\d\d/, 'TIME')).toBe(
      'Error: unknown command "serv" for "aws_signing_helper"\n\nDid you mean this?\n\tserve\n\n' +
        "Run 'aws_signing_helper --help' for usage.\n" +
        'TIME unknown command "serv" for "aws_signing_helper"\n\nDid you mean this?\n\tserve\n\n',
    )
  })

  it('shows help on stdout, and what it is', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    const root = await helper([])
    expect(root).toMatchObject({ code: 0, stderr: '' })
    expect(root.stdout).toContain('\nAvailable Commands:\n  completion            ')
    expect(root.stdout).toMatch(/@hardbound\/cli ([\d.]+); it stands in for aws_signing_helper 1\.8\.5\.\n$/)
    expect(root.stdout).toContain(`cli ${version};`)
    expect(await helper(['--help'])).toEqual(root)
    expect(await helper(['help'])).toEqual(root)
    const serve = await helper(['help', 'serve'])
    expect(serve).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('--port int') })
    expect(await helper(['serve', '-h'])).toEqual(serve)
  })

  it('prints the version of the original', async () => {
    expect(await helper(['version'])).toEqual({ code: 0, stdout: '1.8.5\n', stderr: '' })
  })

  it('says of an unknown topic what there is', async () => {
    const { code, stdout, stderr } = await helper(['help', 'foo'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toMatch(/^Unknown help topic \[`foo`\]\nUsage:\n/)
  })

  it('completes in bash', async () => {
    const { code, stdout, stderr } = await helper(['completion', 'bash'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const complete = async (...words: string[]): Promise<string[]> => {
      const script = `${stdout}\nCOMP_WORDS=(aws_signing_helper ${words.map((it) => `'${it}'`).join(' ')}); COMP_CWORD=${words.length}
_aws_signing_helper; printf '%s\\n' "\${COMPREPLY[@]}"`
      const ran = await runProcess('/bin/bash', ['--norc', '-c', script], { PATH: '/usr/bin:/bin' })
      expect(ran).toMatchObject({ code: 0, stderr: '' })
      return ran.stdout.split('\n').slice(0, -1)
    }
    expect(await complete('s')).toEqual(['serve', 'sign-string'])
    expect(await complete('serve', '--po')).toEqual(['--port'])
    expect(await complete('update', '--on')).toEqual(['--once'])
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish', 'powershell'])
  })

  it.each(['zsh', 'fish', 'powershell'])('has a completion for %s', async (shell) => {
    const { code, stdout } = await helper(['completion', shell, '--no-descriptions'])
    expect(code).toBe(0)
    expect(stdout).toContain('trust-anchor-arn')
  })

  it('refuses other shells', async () => {
    const { code, stdout, stderr } = await helper(['completion', 'tcsh'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(messagesOf(stderr).at(-1)).toBe('completion is for one of bash, zsh, fish, powershell')
  })
})
