import { createHmac } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Folder, hardbound, makeFolder, runProcess, USER } from './helpers.ts'

const SECRET = USER.secretAccessKey
const KEY = `AWS4${SECRET}`
const tag = (message: string) => createHmac('sha256', KEY).update(message).digest('hex')
const ANSWER = tag('hardbound/known-answer/v1').slice(0, 32)

let swtpm: TestSwtpm
let folder: Folder
beforeAll(async () => {
  swtpm = await startSwtpm()
  folder = await makeFolder()
})
afterAll(async () => {
  await swtpm.stop()
  await folder.remove()
})

const tpmImport = (args: readonly string[], stdin = `${SECRET}\n`) =>
  hardbound(['tpm', 'import', '--tpm', swtpm.address, ...args], { stdin })
const tool = (name: string, ...args: string[]) =>
  runProcess(name, args, { PATH: process.env.PATH ?? '', TPM2TOOLS_TCTI: swtpm.tpm2ToolsTcti })

describe('hardbound tpm import', () => {
  it('keeps a secret from stdin at a handle, which tpm2_hmac uses', async () => {
    const { code, stdout, stderr } = await tpmImport(['--handle', '0x81010001', '--access-key-id', USER.accessKeyId])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('in clear') })
    expect(stdout).toContain(`known answer  ${ANSWER}\n`)
    expect(stdout).toContain(
      `credential_process = hardbound aws tpm --tpm ${swtpm.address} --handle 0x81010001 --known-answer ${ANSWER} --access-key-id ${USER.accessKeyId} --region eu-west-1\n`,
    )
    expect(stdout).not.toContain(SECRET)
    const day = await folder.write('day', '20150830')
    expect((await tool('tpm2_hmac', '-g', 'sha256', '--hex', '-c', '0x81010001', day)).stdout.trim()).toBe(
      tag('20150830'),
    )
    await tool('tpm2_flushcontext', '-t')
  })

  it('M17 writes a key file, with a password and encryption, as JSON', async () => {
    const { stdout: name } = await hardbound(['tpm', 'name', '--tpm', swtpm.address, '--key', 'ek-ecc'])
    expect(name).toMatch(/^000b[0-9a-f]{64}\n$/)
    const [out, secret] = [`${folder.path}/aws key.pem`, await folder.write('secret', KEY)]
    const password = await folder.write('password', 'correct horse\n')
    const encryption = ['--session-encryption-key', 'ek-ecc', '--session-encryption-name', name.trim()]
    const { code, stdout, stderr } = await tpmImport(
      ['--out', out, '--secret', `file:${secret}`, '--key-auth', `file:${password}`, ...encryption, '--json'],
      '',
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      keyFile: out,
      name: expect.stringMatching(/^000b[0-9a-f]{64}$/),
      knownAnswer: ANSWER,
      line: expect.stringContaining(
        `--key "${out}" --key-auth file:${password} --session-encryption-name ${name.trim()}`,
      ),
    })
    expect(await readFile(out, 'utf8')).toMatch(/^-----BEGIN TSS2 PRIVATE KEY-----\n/)
    expect((await stat(out)).mode & 0o777).toBe(0o600)
  })

  it.each([
    ['no place', [], 2, '--handle or --out'],
    ['two places', ['--handle', '0x81010009', '--out', 'x.pem'], 2, '--handle or --out'],
    ['a handle that is none', ['--handle', '17'], 2, '--handle'],
    ['a handle of the platform', ['--handle', '0x81800000'], 2, '--handle'],
    ['a handle that is taken', ['--handle', '0x81010001'], 1, 'NV_DEFINED'],
    [
      'M18 encryption to nobody',
      ['--handle', '0x81010009', '--session-encryption-key', 'ek-ecc'],
      2,
      'needs --session-encryption-name',
    ],
    [
      'M19 encryption to somebody else',
      ['--handle', '0x81010009', '--session-encryption-name', `000b${'00'.repeat(32)}`],
      1,
      'ERR_HMAC_UNTRUSTED',
    ],
    ['PCRs that are none', ['--handle', '0x81010009', '--pcrs', 'sha256:99'], 2, '--pcrs'],
    ['a secret as an argument', ['--handle', '0x81010009', '--secret', SECRET], 2, 'never arguments'],
    ['M20 a TCP address', ['--tpm', 'swtpm:127.0.0.1:2321', '--handle', '0x81010009'], 2, '--dangerously-allow-tcp'],
    ['M01 no TPM', ['--tpm', '/dev/nonexistent', '--handle', '0x81010009'], 1, 'ERR_HMAC_UNAVAILABLE'],
  ])('refuses %s', async (_, args, expected, why) => {
    const { code, stdout, stderr } = await tpmImport(args)
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' })
    expect(stderr).toContain(why)
    expect(stderr).not.toContain(SECRET)
  })

  it('does not take what is not a secret of AWS, unless told to', async () => {
    for (const wrong of ['short', `${SECRET}x`, `AWS4${SECRET.slice(0, 36)}`.slice(0, 39), '']) {
      const { code, stdout, stderr } = await tpmImport(['--handle', '0x81010009'], wrong)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      if (wrong !== '') expect(stderr).not.toContain(wrong)
    }
    expect((await tpmImport(['--handle', '0x81010009', '--any-secret'], 'short')).code).toBe(0)
  })

  it('does not write over a file', async () => {
    const out = await folder.write('there.pem', 'precious')
    const { code, stderr } = await tpmImport(['--out', out])
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('is there already') })
    expect(await readFile(out, 'utf8')).toBe('precious')
  })
})
