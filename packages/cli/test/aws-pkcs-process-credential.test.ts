import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { startAws, startConnectProxy, startTlsFront, type TestAws } from '@hardbound/testkit'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parsePkcsUri } from '../src/go-credentials/pkcs-uri.ts'
import { type InstalledGoCommand, installGoCommand } from './go-command.ts'
import { type Folder, makeFolder, ROLE, USER } from './helpers.ts'

let aws: TestAws
let softHsm: TestSoftHsm
let folder: Folder
let command: InstalledGoCommand
/** Index of the token with the keys. */
let slot: number
let session: string[]
beforeAll(async () => {
  ;[aws, softHsm, folder] = await Promise.all([
    startAws(),
    createSoftHsm({ tokenLabel: 'token1', pin: 'mynewpin' }),
    makeFolder(),
  ])
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  await softHsm.addToken('token2')
  const slots = await promisify(execFile)('pkcs11-tool', ['--module', softHsm.modulePath, '-L'], { env: softHsm.env })
  slot = Number(/^Slot (\d+)[^\n]+\n {2}token label {8}: token1$/m.exec(slots.stdout)?.[1])
  const value = Buffer.from(`AWS4${USER.secretAccessKey}`)
  await softHsm.writeKey({ label: 'HMACKey', id: '0100', value })
  await softHsm.writeKey({ label: 'Exposed', id: '0200', value, sensitive: false, extractable: true })
  await softHsm.writeKey({ label: 'Twice', id: '0300', value })
  await softHsm.writeKey({ label: 'Twice', id: '0300', value })
  await softHsm.writeKey({ label: 'AnotherSecret', id: '0400', value: Buffer.from(`${value}x`) })
  const env = { ...softHsm.env, AWS_ENDPOINT_URL_STS: aws.endpoint }
  command = await installGoCommand('aws-pkcs-process-credential', folder, env)
  session = ['--aws-region=us-east-1', '--aws-access-key-id', USER.accessKeyId]
})
afterAll(async () => {
  await Promise.all([aws?.close(), softHsm?.remove(), folder?.remove()])
})

interface Parts {
  readonly at?: number
  readonly key?: string
  readonly pin?: string
  readonly module?: string
  readonly more?: string
}
/** As the original's README has it, with the values of this token. */
const uri = ({ at = slot, key = 'object=HMACKey;id=0100', pin, module = softHsm.modulePath, more }: Parts = {}) =>
  `pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;slot=${at};serial=${softHsm.serial};token=token1;${key}?${pin ?? `pin-source=file:${folder.path}/pin`}&module-path=${module}${more ?? ''}`
const run = async (parts: Parts = {}, ...more: string[]) => {
  await folder.write('pin', 'mynewpin')
  return command.run([...session, '-pkcs-uri', uri(parts), ...more])
}

describe('the AWS CLI with aws-pkcs-process-credential as its credential_process', () => {
  /** As in the README of the original, with our key id, role, and token. */
  const profiles = () => {
    const pkcsUri = uri({ pin: 'pin-value=mynewpin' })
    return {
      sessiontoken: ` --aws-region=us-east-1 --aws-session-name=mysession --assumeRole=false  --pkcs-uri="${pkcsUri}" --aws-access-key-id=${USER.accessKeyId}  --duration=3600`,
      assumerole: ` --aws-arn="${ROLE}" --aws-region=us-east-1 --aws-session-name=mysession --assumeRole=true  --pkcs-uri="${pkcsUri}" --aws-access-key-id=${USER.accessKeyId}  --duration=3600 `,
    }
  }

  it.each([
    ['sessiontoken', USER.arn],
    ['assumerole', 'arn:aws:sts::444455556666:assumed-role/reader/mysession'],
  ])("F18 profile %s of the original's README is who it says", async (profile, arn) => {
    const args = ['sts', 'get-caller-identity', '--output', 'json', '--profile', profile]
    const { code, stdout } = await command.awsCli(profiles(), aws.endpoint, ...args)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ Arn: arn })
  })
})

describe('aws-pkcs-process-credential', () => {
  it('prints what the original prints', async () => {
    const { code, stdout, stderr } = await run({}, '-duration=900')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      /^\{"Version":1,"AccessKeyId":"ASIA\w+","SecretAccessKey":"[^"]+","SessionToken":"[^"]+","Expiration":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}\n$/,
    )
    expect(aws.calls.at(-1)).toMatchObject({ action: 'GetSessionToken', params: { DurationSeconds: '900' } })
  })
  it('M13 takes a PIN in the URI, with a warning that does not show it', async () => {
    const { code, stderr } = await run({ pin: 'pin-value=mynewpin' })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^aws-pkcs-process-credential: warning: -pkcs-uri: [^\n]+pin-source=file:\/path\n$/)
    expect(stderr).not.toContain('mynewpin')
  })
  it.each(['file:', 'file://', 'file://localhost', ''])('M13 takes a PIN of a file at %s/path', async (scheme) => {
    expect(await run({ pin: `pin-source=${scheme}${folder.path}/pin` })).toMatchObject({ code: 0, stderr: '' })
  })
  it('M13 takes a PIN of a file that is open to others, with a warning', async () => {
    const file = await folder.write('open-pin', 'mynewpin\n')
    await chmod(file, 0o644)
    const { code, stderr } = await run({ pin: `pin-source=${file}` })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^[^\n]+warning: [^\n]+open-pin is open to others; chmod 600 it\n$/)
  })
  it('takes a key that can be read and taken out, with a warning', async () => {
    const { code, stderr } = await run({ key: 'object=Exposed;id=0200' })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^[^\n]+warning: [^\n]+CKA_SENSITIVE[^\n]+hardbound pkcs11 import\n$/)
  })
  it('finds the token by the slot alone, and warns where the URI says something else of it', async () => {
    const other = uri().replace('token=token1', 'token=token9')
    const { code, stderr } = await command.run([...session, '--pkcs-uri', other])
    expect(code).toBe(0)
    expect(stderr).toMatch(/^[^\n]+warning: -pkcs-uri: the token in slot \d has another label[^\n]+\n$/)
  })
  it('looks for a module in a folder', async () => {
    expect(await run({ module: dirname(softHsm.modulePath), more: '&module-name=softhsm2' })).toMatchObject({ code: 0 })
    const { code, stderr } = await run({ module: dirname(softHsm.modulePath), more: '&module-name=soft' })
    expect(code).toBe(1)
    expect(stderr).toContain('module-name')
  })
  it.each([
    ['M11 a slot that is not there', { at: 9 }, 'slot 9 has no token: of 3'],
    ['M11 a slot whose token is empty', { at: 2 }, 'slot 2 has no token: of 3'],
    ['M11 no such key', { key: 'object=HMACKey;id=0101' }, 'ERR_HMAC_KEY'],
    ['M11 a label and an id of two keys', { key: 'object=HMACKey;id=0200' }, 'ERR_HMAC_KEY'],
    ['M11 two such keys', { key: 'object=Twice;id=0300' }, 'ERR_HMAC_KEY'],
    ['another secret', { key: 'object=AnotherSecret;id=0400' }, 'ERR_STS_'],
    ['M14 a module that is none', { module: '/etc/hostname' }, 'ERR_PKCS11_MODULE'],
    ['M14 no module', { module: '/nonexistent.so' }, 'module-path'],
    ['M13 no PIN', { pin: 'a=b' }, 'pin-source or pin-value'],
    ['M13 a PIN file that is not there', { pin: 'pin-source=file:/nonexistent' }, '/nonexistent'],
    ['M13 a PIN of a command', { pin: 'pin-source=|cat' }, 'pin-source'],
    ['M13 a relative PIN file', { pin: 'pin-source=file:pin' }, 'pin-source'],
  ])('refuses %s in one line, exit code 1', async (_, parts, why) => {
    const { code, stdout, stderr } = await run(parts)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^aws-pkcs-process-credential: [^\n]+\n$/)
    expect(stderr).toContain(why)
  })
  it('U10 goes through the proxy of the environment, but not to this machine', async () => {
    await folder.write('pin', 'mynewpin')
    const [proxy, sts] = await Promise.all([startConnectProxy(), startTlsFront(aws.endpoint, 'sts.example.com')])
    proxy.target = sts.authority
    const env = {
      AWS_ENDPOINT_URL_STS: 'https://sts.example.com',
      AWS_CA_BUNDLE: await folder.write('ca.pem', sts.caPem),
      HTTPS_PROXY: proxy.url.replace('//', '//me:hunter2@'),
    }
    const get = (more: Record<string, string>) => command.run([...session, '-pkcs-uri', uri()], { ...env, ...more })
    const outcomes = [
      await get({}),
      await get({ AWS_ENDPOINT_URL_STS: `https://${sts.authority}` }),
      await get({ HTTPS_PROXY: 'socks5://hunter2' }),
    ]
    await Promise.all([proxy.close(), sts.close()])
    const authorization = `Basic ${Buffer.from('me:hunter2').toString('base64')}`
    expect(proxy.asked).toEqual([{ authority: 'sts.example.com:443', authorization }])
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 1])
    expect(outcomes[2]?.stderr).toMatch(/HTTPS_PROXY must be a URL like http:[^\n]+\n$/)
    expect(JSON.stringify(outcomes)).not.toContain('hunter2')
  })
  it('M13 shows no wrong PIN', async () => {
    const { code, stderr } = await run({ pin: 'pin-value=hunter2' })
    expect(code).toBe(1)
    expect(stderr).toContain('ERR_HMAC_DENIED')
    expect(stderr).not.toContain('hunter2')
  })
  it('does not try the PIN where something else is wrong', async () => {
    const { stderr } = await run({ pin: 'pin-value=hunter2' }, '-duration=1')
    expect(stderr).toMatch(/^aws-pkcs-process-credential: -duration[^\n]+\n$/)
  })
  it('shows its flags', async () => {
    const { code, stdout, stderr } = await command.run(['--help'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toContain('  -duration uint\n    \tseconds that the session lasts (default 3600)\n')
    expect(await command.run(session)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('-pkcs-uri is required'),
    })
    expect(await command.run(['-assumeRole', 'true', ...session])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('parsePkcsUri', () => {
  it('reads what go-pkcs11uri reads', () => {
    const text = 'pkcs11:token=my token;slot=1;object=a%3Bb;id=01fF?module-path=/a b.so&pin-value=1?2=3&module-name=x'
    expect(parsePkcsUri(text)).toEqual({
      slot: 1,
      id: Buffer.from('01ff', 'hex'),
      object: 'a;b',
      modulePath: '/a b.so',
      moduleName: 'x',
      pinValue: '1?2=3',
      pinSource: undefined,
      token: { token: 'my token', serial: undefined, manufacturer: undefined, model: undefined },
    })
  })
  it.each([
    ['nothing', ''],
    ['another scheme', 'PKCS11:slot=0;object=a;id=01?module-path=/a&pin-value=hunter2'],
    ['no slot', 'pkcs11:object=a;id=01?module-path=/a&pin-value=hunter2'],
    ['a slot id', 'pkcs11:slot=0x5f3a6d79;object=a;id=01?module-path=/a&pin-value=hunter2'],
    ['no object', 'pkcs11:slot=0;id=01?module-path=/a&pin-value=hunter2'],
    ['no id', 'pkcs11:slot=0;object=a?module-path=/a&pin-value=hunter2'],
    ['an id in octets', 'pkcs11:slot=0;object=a;id=%01%00?module-path=/a&pin-value=hunter2'],
    ['half an octet', 'pkcs11:slot=0;object=a;id=010?module-path=/a&pin-value=hunter2'],
    ['no module', 'pkcs11:slot=0;object=a;id=01?pin-value=hunter2'],
    ['a relative module', 'pkcs11:slot=0;object=a;id=01?module-path=a&pin-value=hunter2'],
    ['two PINs', 'pkcs11:slot=0;object=a;id=01?module-path=/a&pin-value=hunter2&pin-source=/a'],
    ['an attribute twice', 'pkcs11:slot=0;slot=1;object=a;id=01?module-path=/a&pin-value=hunter2'],
    ['an attribute without a value', 'pkcs11:slot=0;object=a;id=01;?module-path=/a&pin-value=hunter2'],
    ['half an escape', 'pkcs11:slot=0;object=a;id=01?module-path=/a&pin-value=hunter2%2'],
  ])('refuses %s without showing the PIN', (_, text) => {
    expect(() => parsePkcsUri(text)).toThrow(/^-pkcs-uri: (?!.*hunter2)/)
  })
})
