import { createHmac } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hardbound, USER } from './helpers.ts'

const KEY = `AWS4${USER.secretAccessKey}`
const KNOWN_ANSWER = createHmac('sha256', KEY).update('hardbound/known-answer/v1').digest('hex').slice(0, 32)

let softHsm: TestSoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm({ tokenLabel: 'my token' })
})
afterAll(() => softHsm.remove())

const run = (args: readonly string[], stdin = `${USER.secretAccessKey}\n`) =>
  hardbound(['pkcs11', 'import', ...args], { stdin, env: softHsm.env })

/** What pkcs11-tool signs with the key. */
async function signedByTool(label: string, message: string): Promise<string> {
  const [input, output] = [join(softHsm.folder, 'message'), join(softHsm.folder, 'tag')]
  await writeFile(input, message)
  const files = ['--input-file', input, '--output-file', output]
  await softHsm.tool('--sign', '--mechanism', 'SHA256-HMAC', '--label', label, ...files)
  return readFile(output, 'hex')
}

describe('hardbound pkcs11 import', () => {
  it('puts in the bare secret with AWS4 before it, and says which line to use', async () => {
    const { code, stdout, stderr } = await run(['--uri', softHsm.uri('aws'), '--access-key-id', USER.accessKeyId])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`known answer  ${KNOWN_ANSWER}\n`)
    const uri = `pkcs11:token=my%20token;serial=${softHsm.serial};object=aws?module-path=${softHsm.modulePath}&pin-source=file:${softHsm.pinFile}`
    expect(stdout).toContain(
      `\ncredential_process = hardbound aws pkcs11 --uri "${uri}" --known-answer ${KNOWN_ANSWER} --access-key-id ${USER.accessKeyId} --region eu-west-1\n`,
    )
    expect(stdout).not.toContain(USER.secretAccessKey)
    expect(await signedByTool('aws', '20150830')).toBe(createHmac('sha256', KEY).update('20150830').digest('hex'))
  })

  it('reads secret and PIN from files, and prints JSON', async () => {
    const secret = join(softHsm.folder, 'aws-secret')
    await writeFile(secret, `${KEY}\n`, { mode: 0o600 }) // with its prefix already
    const uri = `pkcs11:token=my%20token;object=file;id=%0a?module-path=${softHsm.modulePath}`
    const args = ['--uri', uri, '--secret', `file:${secret}`, '--pin', `file:${softHsm.pinFile}`, '--json']
    const { code, stdout } = await run([...args, '--key-type', 'sha256-hmac', '--allow-module', '/srv/my modules'])
    expect(code).toBe(0)
    const { knownAnswer, line } = JSON.parse(stdout) as { knownAnswer: string; line: string }
    expect(knownAnswer).toBe(KNOWN_ANSWER)
    expect(line).toContain(`--pin file:${softHsm.pinFile} --allow-module "/srv/my modules" --known-answer`)
  })

  it('M11 refuses a label that is in use', async () => {
    const { code, stdout, stderr } = await run(['--uri', softHsm.uri('aws')])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe('hardbound: pkcs11: that label is in use already [ERR_HMAC_KEY]\n')
  })

  it.each([
    ['a secret that is none of AWS', 'not a secret', [], /is not an AWS secret access key/],
    ['no secret', '', [], /empty/],
    ['the secret as an argument', '', ['--secret', USER.secretAccessKey], /never arguments/],
    [
      'a module from elsewhere',
      USER.secretAccessKey,
      ['--uri', 'pkcs11:object=x?module-path=/tmp/x.so'],
      /ERR_HMAC_MODULE/,
    ],
    ['a PIN in the URI', USER.secretAccessKey, ['--uri', 'pkcs11:object=x?pin-value=1234'], /must not hold the PIN/],
    ['a URI without a name for the key', USER.secretAccessKey, ['--uri', 'pkcs11:token=x'], /must name the key/],
    ['a URI that is none', USER.secretAccessKey, ['--uri', 'https://example.com'], /pkcs11:/],
    ['an unknown kind of key', USER.secretAccessKey, ['--key-type', 'aes'], /--key-type/],
    ['two readers of one pipe', USER.secretAccessKey, ['--pin', 'stdin'], /stdin/],
  ])('refuses %s', async (_, stdin, args, why) => {
    const { code, stdout, stderr } = await run(['--uri', softHsm.uri('refused'), ...args], stdin)
    expect(code).not.toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toMatch(why)
    expect(stderr).not.toContain(USER.secretAccessKey)
  })

  it('takes a secret of another form where told to', async () => {
    const args = ['--uri', softHsm.uri('any'), '--any-secret']
    const { code } = await run(args, 'a secret that is longer than thirty-two characters')
    expect(code).toBe(0)
  })
})
