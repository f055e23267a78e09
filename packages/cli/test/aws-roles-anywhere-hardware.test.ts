import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import {
  createSlowModule,
  createSoftHsm,
  startSwtpm,
  type TestSoftHsm,
  type TestSwtpm,
} from '@hardbound/testkit/hardware'
import { startRolesAnywhere, type TestRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Certificates, makeCertificates, RSA } from './certificates.ts'
import { COMMAND, runProcess } from './helpers.ts'

const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
const READER = 'arn:aws:iam::111122223333:role/reader'
const PASSWORD = 'correct-horse'

let service: TestRolesAnywhere
let lab: Certificates
let env: Readonly<Record<string, string>> = {}
beforeAll(async () => {
  ;[service, lab] = await Promise.all([startRolesAnywhere(), makeCertificates()])
  service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
  service.addProfile({ arn: PROFILE, roleArns: [READER] })
})
afterAll(async () => {
  await Promise.all([service?.close(), lab?.remove()])
})
beforeEach(() => {
  for (const list of [service.calls, service.refusals]) (list as unknown[]).length = 0
})

const rolesAnywhere = (...flags: string[]) => {
  const asked = ['--trust-anchor-arn', ANCHOR, '--profile-arn', PROFILE, '--role-arn', READER]
  const args = [COMMAND, 'aws', 'roles-anywhere', ...asked, '--endpoint', service.endpoint, ...flags]
  return runProcess(process.execPath, args, { PATH: '/usr/bin:/bin', ...env })
}

describe('hardbound aws roles-anywhere with a PKCS #11 token', () => {
  let softHsm: TestSoftHsm
  beforeAll(async () => {
    softHsm = await createSoftHsm()
    env = softHsm.env
    await Promise.all([lab.leaf('rsa', RSA), lab.leaf('ec')])
    for (const [name, id] of [
      ['rsa', '01'],
      ['ec', '02'],
    ] as const) {
      await lab.openssl('pkey', '-in', `${name}.key`, '-outform', 'DER', '-out', `${name}.key.der`)
      await lab.openssl('x509', '-in', `${name}.crt`, '-outform', 'DER', '-out', `${name}.der`)
      const names = ['--id', id, '--label', name]
      const key = ['--write-object', lab.at(`${name}.key.der`), '--type', 'privkey', '--usage-sign', '--sensitive']
      await softHsm.tool(...key, ...names, ...(name === 'rsa' ? ['--always-auth'] : []))
      await softHsm.tool('--write-object', lab.at(`${name}.der`), '--type', 'cert', ...names)
    }
    await lab.openssl('x509', '-in', 'intermediate.crt', '-outform', 'DER', '-out', 'intermediate.der')
    await softHsm.tool('--write-object', lab.at('intermediate.der'), '--type', 'cert', '--id', '77', '--label', 'ca')
  })
  afterAll(() => softHsm?.remove())

  const uri = (names = '', pin = `&pin-source=file:${softHsm.pinFile}`) =>
    `pkcs11:token=${softHsm.tokenLabel}${names && `;${names}`}?module-path=${softHsm.modulePath}${pin}`
  const pin = () => ['--pin', `file:${softHsm.pinFile}`]

  it.each([
    ['a certificate', () => ['--certificate', uri('object=ec')], 'ECDSA'],
    ['a key that wants its PIN each time', () => ['--private-key', uri('object=rsa')], 'RSA'],
    ['a certificate in a file', () => ['--certificate', lab.at('ec.crt'), '--private-key', uri('object=ec')], 'ECDSA'],
    ['the PIN from elsewhere', () => ['--certificate', uri('object=ec', ''), ...pin()], 'ECDSA'],
    ['a selector', () => ['--store', uri(), '--selector', 'Key=x509SubjectCN,Value=rsa.example.com'], 'RSA'],
  ])('signs with %s', async (_, flags, algorithm) => {
    const { code, stdout, stderr } = await rolesAnywhere(...flags())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 })
    expect(service.calls).toMatchObject([{ algorithm: `AWS4-X509-${algorithm}-SHA256`, chainLength: 1 }])
  })

  it('M16 tries a wrong PIN once, however often it is started', async () => {
    const wrong = await lab.write('pin', 'hunter2')
    const outcomes = []
    const flags = ['--certificate', uri('object=ec', ''), '--pin', `file:${wrong}`]
    for (let at = 0; at < 2; at++) outcomes.push(await rolesAnywhere(...flags))
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[ERR_RA_PASSWORD]') })
      expect(outcome.stderr).not.toContain('hunter2')
    }
    expect(outcomes[0]?.stderr).toContain('CKR_PIN_INCORRECT')
    expect(outcomes[1]?.stderr).not.toContain('CKR_PIN_INCORRECT') // not asked again
    expect(await rolesAnywhere('--certificate', uri('object=ec'), '--retry-pin')).toMatchObject({ code: 0 })
  })

  it.each([
    ['M14 a module from elsewhere', () => ['--certificate', 'pkcs11:object=ec?module-path=/tmp/x.so'], 'ERR_RA_DEVICE'],
    ['M11 no such certificate', () => ['--certificate', uri('object=none')], 'ERR_RA_'],
    ['no PIN', () => ['--certificate', uri('object=ec', '')], 'ERR_RA_PASSWORD'],
  ])('F18 refuses %s', async (_, flags, why) => {
    const { code, stdout, stderr } = await rolesAnywhere(...flags())
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^hardbound aws roles-anywhere: [^\n]+\n$/)
    expect(stderr).toContain(why)
  })

  it('M27 ends although the module hangs', async () => {
    const slow = await createSlowModule({ modulePath: softHsm.modulePath, signMs: 600_000 })
    const flags = ['--allow-module', slow.folder, '--pkcs11-timeout', '1']
    const hanging = uri('object=ec').replace(softHsm.modulePath, slow.modulePath)
    const { code, stdout, stderr } = await rolesAnywhere('--certificate', hanging, ...flags)
    const test = ['cert', 'sign-test', '--certificate', hanging, ...flags]
    const signTest = await runProcess(process.execPath, [COMMAND, ...test], { PATH: '/usr/bin:/bin', ...env })
    const session = ['--trust-anchor-arn', ANCHOR, '--profile-arn', PROFILE, '--role-arn', READER]
    const daemons = [
      ['update', 'roles-anywhere', '--once', '--credentials-file', lab.at('never')],
      ['serve', 'roles-anywhere', '--listen', '127.0.0.1:0'],
    ].map((it) => [COMMAND, ...it, ...session, '--endpoint', service.endpoint, '--certificate', hanging, ...flags])
    for (const args of daemons) {
      const ended = await runProcess(process.execPath, args, { PATH: '/usr/bin:/bin', ...env })
      expect(ended).toEqual({ code: null, stdout: '', stderr: expect.stringContaining('ERR_RA_TIMEOUT') })
    }
    await slow.remove()
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
    expect(stderr).toContain('[ERR_RA_TIMEOUT]')
    expect(signTest.stderr).toContain('[ERR_RA_TIMEOUT]')
  })
})

describe('hardbound aws roles-anywhere with a TPM', () => {
  let swtpm: TestSwtpm
  const H2 = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
  const SIGN = 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth'
  async function tool(line: string): Promise<void> {
    const options = { env: { ...process.env, TPM2TOOLS_TCTI: swtpm.tpm2ToolsTcti }, cwd: lab.path, timeout: 20_000 }
    const [name, ...args] = line.split(' ')
    await promisify(execFile)(`tpm2_${name}`, args, options)
    for (const kind of ['-t', '-l']) await promisify(execFile)('tpm2_flushcontext', [kind], options)
  }
  beforeAll(async () => {
    swtpm = await startSwtpm()
    await tool(`createprimary -Q -C o -G ecc256:aes128cfb -a ${H2} -c h2.ctx`)
    await tool('evictcontrol -Q -C o -c h2.ctx 0x81000001')
    for (const [name, options] of [
      ['tpm-ec', `-G ecc256 -a ${SIGN}|noda`],
      ['tpm-rsa', `-G rsa2048 -a ${SIGN}|noda`],
      ['tpm-locked', `-G ecc256 -a ${SIGN} -p ${PASSWORD}`],
    ] as const) {
      await tool(`create -Q -C 0x81000001 ${options} -u ${name}.pub -r ${name}.priv`)
      await tool(`encodeobject -Q -C 0x81000001 -u ${name}.pub -r ${name}.priv -o ${name}.key`)
      const load = `load -Q -C 0x81000001 -u ${name}.pub -r ${name}.priv -c ${name}.ctx`
      await tool(load)
      await tool(`readpublic -Q -c ${name}.ctx -f pem -o ${name}.public.pem`)
      await lab.certify(name, `${name}.public.pem`)
      if (name === 'tpm-ec') await tool(load)
      if (name === 'tpm-ec') await tool('evictcontrol -Q -C o -c tpm-ec.ctx 0x81000101')
    }
  }, 120_000)
  afterAll(() => swtpm?.stop())

  const tpm = (name: string, key: string, ...more: string[]) =>
    rolesAnywhere(
      ...['--tpm', swtpm.address, '--certificate', lab.at(`${name}.crt`), '--private-key', key],
      ...['--intermediates', lab.at('intermediate.crt'), ...more],
    )

  it.each([
    ['a key file', 'tpm-ec', () => lab.at('tpm-ec.key'), 'ECDSA'],
    ['an RSA key file', 'tpm-rsa', () => lab.at('tpm-rsa.key'), 'RSA'],
    ['a handle', 'tpm-ec', () => 'handle:0x81000101', 'ECDSA'],
  ])('signs with %s', async (_, name, key, algorithm) => {
    const { code, stdout, stderr } = await tpm(name, key())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 })
    expect(service.calls).toMatchObject([{ algorithm: `AWS4-X509-${algorithm}-SHA256`, chainLength: 1 }])
  })

  it('M03 signs with a key that has a password; a wrong one is refused, and shown nowhere', async () => {
    const auth = await lab.write('auth', `${PASSWORD}\n`)
    const key = lab.at('tpm-locked.key')
    expect(await tpm('tpm-locked', key, '--tpm-key-auth', `file:${auth}`)).toMatchObject({ code: 0, stderr: '' })
    const wrong = await lab.write('auth', 'hunter2')
    const { code, stdout, stderr } = await tpm('tpm-locked', key, '--tpm-key-auth', `file:${wrong}`)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^hardbound aws roles-anywhere: [^\n]+\[ERR_RA_PASSWORD\]\n$/)
    expect(stderr).not.toContain('hunter2')
  })

  it('sees by itself that a file is a key of a TPM, which is at /dev/tpmrm0 unless told otherwise', async () => {
    const pair = ['--certificate', lab.at('tpm-ec.crt'), '--private-key', lab.at('tpm-ec.key')]
    const { stderr } = await rolesAnywhere(...pair, '--tpm', '/dev/nonexistent')
    expect(stderr).toContain('[ERR_RA_DEVICE]')
    expect((await rolesAnywhere(...pair, '--key-password', 'prompt')).stderr).toContain('does not go with a TPM')
  })

  it.each([
    ['M01 no TPM', () => ['--tpm', '/dev/nonexistent'], 1, 'ERR_RA_DEVICE'],
    ['M20 a TCP address', () => ['--tpm', 'swtpm:127.0.0.1:2321'], 2, '--dangerously-allow-tcp'],
    ['encryption to nobody', () => ['--session-encryption-key', 'ek-rsa'], 2, '--session-encryption-name'],
    ['S11 the certificate of another key', () => ['--certificate', lab.at('tpm-rsa.crt')], 1, 'ERR_RA_MISMATCH'],
  ])('F18 refuses %s', async (_, more, expected, why) => {
    const { code, stdout, stderr } = await tpm('tpm-ec', lab.at('tpm-ec.key'), ...more())
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' })
    expect(stderr).toMatch(/^hardbound aws roles-anywhere: [^\n]+\n$/)
    expect(stderr).toContain(why)
  })

  it('M05 ends although the TPM never answers', async () => {
    const path = lab.at('silent.sock')
    const silent = createServer((client) => client.on('error', () => {}).resume())
    await new Promise<void>((resolve) => silent.listen({ path }, resolve))
    const { code, stdout, stderr } = await tpm(
      'tpm-ec',
      lab.at('tpm-ec.key'),
      '--tpm',
      `unix:${path}`,
      '--tpm-timeout',
      '1',
    )
    silent.close()
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
    expect(stderr).toContain('[ERR_RA_TIMEOUT]')
  })
})
