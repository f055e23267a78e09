import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { startRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { signString } from '../src/signing-helper/sign-string.ts'
import { signerOf } from '../src/signing-helper/signer.ts'
import type { SignStringFlags } from '../src/signing-helper/types.ts'
import { type Certificates, makeCertificates } from './certificates.ts'
import { ANCHOR, ASKED, helper, PROFILE, ROLE } from './signing-helper.ts'
import { codeOf, DIGESTS, type Lab, makeLab, onTerminal, signerFlags, signStringFlags } from './signing-helper-lab.ts'

const PASSWORD = '1234'
const H2 = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
const COMMON = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth'
const SIGN = `sign|${COMMON}`
/** Name, options of tpm2_create, and whether the file says that there is no password: tpm2_encodeobject 5.4 does with -p. */
const KEYS: readonly (readonly [name: string, options: string, saysEmpty?: boolean])[] = [
  ['ec', `-G ecc256 -a ${SIGN}|noda`],
  ['ec-384', `-G ecc384 -a ${SIGN}|noda`],
  ['rsa', `-G rsa2048 -a ${SIGN}|noda`],
  ['ec-empty', `-G ecc256 -a ${SIGN}`, true],
  ['rsa-empty', `-G rsa2048 -a ${SIGN}`, true],
  ['ec-locked', `-G ecc256 -a ${SIGN}|noda -p ${PASSWORD}`],
  ['rsa-locked', `-G rsa2048 -a ${SIGN} -p ${PASSWORD}`],
  ['ec-locked-empty', `-G ecc256 -a ${SIGN}|noda -p ${PASSWORD}`, true],
  ['rsa-decrypt', `-G rsa2048 -a decrypt|${COMMON}|noda`],
]
const HANDLES = { 'ec-384': '81000101', 'ec-locked': '81000102', rsa: '81000103' } as const

let lab: Certificates
let folder: Lab
let swtpm: TestSwtpm
const device = () => swtpm.address.slice('unix:'.length)
async function tool(line: string): Promise<void> {
  const options = { env: { ...process.env, TPM2TOOLS_TCTI: swtpm.tpm2ToolsTcti }, cwd: lab.path, timeout: 20_000 }
  const [name, ...args] = line.split(' ')
  await promisify(execFile)(`tpm2_${name}`, args, options)
  for (const kind of ['-t', '-l']) await promisify(execFile)('tpm2_flushcontext', [kind], options)
}
beforeAll(async () => {
  ;[lab, folder, swtpm] = await Promise.all([makeCertificates(), makeLab(), startSwtpm()])
  process.env.TPM_DEVICE = device()
  await tool(`createprimary -Q -C o -G ecc256:aes128cfb -a ${H2} -c parent.ctx`)
  for (const [name, options, saysEmpty] of KEYS) {
    const files = `-u ${name}.pub -r ${name}.priv`
    const load = `load -Q -C parent.ctx ${files} -c ${name}.ctx`
    await tool(`create -Q -C parent.ctx ${options} ${files}`)
    await tool(`encodeobject -Q -C parent.ctx ${files} -o ${name}.key${saysEmpty ? ' -p' : ''}`)
    await tool(load)
    await tool(`readpublic -Q -c ${name}.ctx -f pem -o ${name}.public.pem`)
    await lab.certify(name, `${name}.public.pem`)
    const texts = await Promise.all(['key', 'crt'].map((end) => readFile(lab.at(`${name}.${end}`), 'utf8')))
    await lab.write(`${name}.pem`, texts.join(''))
    const handle = HANDLES[name as keyof typeof HANDLES]
    if (handle === undefined) continue
    await tool(load)
    await tool(`evictcontrol -Q -C o -c ${name}.ctx 0x${handle}`)
  }
}, 120_000)
afterAll(async () => {
  await Promise.all([lab?.remove(), folder?.remove(), swtpm?.stop()])
})

const sign = (given: Partial<SignStringFlags>) => signString(signStringFlags({ format: 'bin', ...given }))
const key = (name: string) => ({ 'private-key': lab.at(`${name}.key`) })
const pair = (name: string) => ({ ...key(name), certificate: lab.at(`${name}.crt`) })
async function isGood(name: string, given: Partial<SignStringFlags>): Promise<boolean> {
  const publicKey = await readFile(lab.at(`${name}.public.pem`), 'utf8')
  return folder.verifies(publicKey, given.digest ?? 'SHA256', await sign(given))
}

describe('sign-string with a TPM', () => {
  it.each(['ec', 'ec-384', 'rsa', 'ec-empty', 'rsa-empty'])('signs with a key file: %s', async (name) => {
    for (const digest of DIGESTS) expect(await isGood(name, { ...pair(name), digest })).toBe(true)
    expect(await isGood(name, key(name))).toBe(true)
    expect(await isGood(name, { certificate: lab.at(`${name}.pem`) })).toBe(true)
    expect(await isGood(name, { ...pair(name), 'no-tpm-key-password': true })).toBe(true)
  })

  it.each(['ec-locked', 'rsa-locked', 'ec-locked-empty'])(
    'signs with a key that has a password, whatever its file says: %s',
    async (name) => {
      expect(await isGood(name, { ...pair(name), 'tpm-key-password': PASSWORD })).toBe(true)
    },
  )

  it.each(['handle:0x81000101', 'handle:81000101'])('signs with a handle: %s', async (handle) => {
    const flags = { 'private-key': handle, 'no-tpm-key-password': true }
    for (const digest of DIGESTS) expect(await isGood('ec-384', { ...flags, digest })).toBe(true)
    expect(await isGood('ec-384', { ...flags, certificate: lab.at('ec-384.crt') })).toBe(true)
  })

  it('signs with a handle and a password, and with one of RSA', async () => {
    expect(await isGood('ec-locked', { 'private-key': 'handle:0x81000102', 'tpm-key-password': PASSWORD })).toBe(true)
    const rsa = { 'private-key': 'handle:0x81000103', 'no-tpm-key-password': true, digest: 'SHA384' } as const
    expect(await isGood('rsa', rsa)).toBe(true)
  })

  it.each([
    ['M03 another password', () => ({ ...pair('ec-locked'), 'tpm-key-password': 'hunter2' }), 'ERR_RA_PASSWORD'],
    ['M03 a password where there is none', () => ({ ...pair('ec'), 'tpm-key-password': 'hunter2' }), 'ERR_RA_PASSWORD'],
    [
      'M03 no password where there is one',
      () => ({ ...pair('ec-locked'), 'no-tpm-key-password': true }),
      'ERR_RA_PASSWORD',
    ],
    ['a key that may not sign', () => pair('rsa-decrypt'), 'may not sign'],
    [
      'a handle where nothing is',
      () => ({ 'private-key': 'handle:0x8100ffff', 'no-tpm-key-password': true }),
      'ERR_RA_',
    ],
    ['a handle that is none', () => ({ 'private-key': 'handle:zz' }), 'invalid hex TPM handle'],
    ['a certificate that is none', () => ({ ...key('ec'), certificate: lab.at('ec.key') }), 'ERR_RA_CERTIFICATE'],
  ])('F18 refuses %s', async (_, given, why) => {
    expect(await codeOf(sign(given()), 'hunter2')).toContain(why)
  })

  it('M01 says which TPM is not there', async () => {
    process.env.TPM_DEVICE = lab.at('none.sock')
    const why = await codeOf(sign(pair('ec')))
    process.env.TPM_DEVICE = device()
    expect(why).toContain('ERR_RA_DEVICE')
    expect(why).toContain('none.sock')
  })

  it('M13 asks for a password, and shows nothing of it; M16 once', async () => {
    const args = ['sign-string', '--private-key', 'handle:0x81000102', '--format', 'text']
    const env = { TPM_DEVICE: device() }
    const good = await onTerminal(args, `${PASSWORD}\r`, env)
    expect(good).toMatchObject({
      code: 0,
      shown: expect.stringMatching(/Password of the TPM key: [^\d]*[0-9a-f]{130,}$/),
    })
    const bad = await onTerminal(args, 'hunter2\r', env)
    expect(bad.code).toBe(1)
    expect(bad.shown.match(/Password of/g)).toHaveLength(1)
    expect(bad.shown).not.toContain('hunter2')
  })

  it('signs as a command, and a certificate of another key is worth a line', async () => {
    const args = ['sign-string', '--private-key', lab.at('ec.key'), '--certificate', lab.at('rsa.crt')]
    const { code, stdout, stderr } = await helper(args, { TPM_DEVICE: device() })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^"[0-9a-f]+"$/)
    expect(stderr).toMatch(/warning: the private key is not that of the certificate in .*rsa\.crt\n$/)
  })
})

describe('signerOf with a TPM', () => {
  it('has certificate and intermediates of files', async () => {
    const flags = signerFlags({ ...pair('ec'), intermediates: lab.at('intermediate.crt') })
    const source = await signerOf(flags, () => {})
    const { chain, keyType } = await source.current()
    await source.close()
    expect({ length: chain.length, keyType }).toEqual({ length: 1, keyType: 'ec' })
  })

  it('gets a session, of a key at a handle too', async () => {
    const service = await startRolesAnywhere()
    service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
    service.addProfile({ arn: PROFILE, roleArns: [ROLE] })
    for (const [name, key] of [
      ['rsa', lab.at('rsa.key')],
      ['ec-384', 'handle:0x81000101'],
    ] as const) {
      const files = ['--certificate', lab.at(`${name}.crt`), '--intermediates', lab.at('intermediate.crt')]
      const flags = [...ASKED, '--endpoint', service.endpoint, ...files, '--private-key', key, '--no-tpm-key-password']
      const { code, stdout, stderr } = await helper(['credential-process', ...flags], { TPM_DEVICE: device() })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 })
    }
    const calls = service.calls.map(({ algorithm, chainLength }) => [algorithm, chainLength])
    expect(calls).toEqual(['RSA', 'ECDSA'].map((it) => [`AWS4-X509-${it}-SHA256`, 1]))
    await service.close()
  })

  it.each([
    [
      'S11 the certificate of another key',
      () => ({ ...pair('ec'), certificate: lab.at('rsa.crt') }),
      'ERR_RA_MISMATCH',
    ],
    ['no certificate', () => key('ec'), '--certificate is missing'],
  ])('F18 refuses %s', async (_, given, why) => {
    expect(await codeOf(signerOf(signerFlags(given()), () => {}))).toContain(why)
  })
})
