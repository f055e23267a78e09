import { constants, createHash, createPublicKey, generateKeyPairSync, sign, verify, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { create, createPrimary, policySecret } from '../src/commands.ts'
import { encodePublic, openTpm, openTransport, type PublicArea } from '../src/index.ts'
import { writeKeyFile } from '../src/key-file.ts'
import { parsePcrs, readTpmKeyName } from '../src/keys.ts'
import { startPolicySession } from '../src/sessions.ts'
import {
  type OpenTpmSigningKeyInit,
  openTpmSigningKey,
  type SignatureScheme,
  type TpmSigningKey,
} from '../src/signing-key.ts'
import { type Lab, SIGN, startLab } from './lab.ts'

const MESSAGE = Buffer.from('of example.com')
const RS256 = { scheme: 'rsassa-pkcs1-v1_5', hash: 'sha256' } as const
const PS256 = { scheme: 'rsassa-pss', hash: 'sha256' } as const
const ES256 = { scheme: 'ecdsa', hash: 'sha256' } as const
const PASSWORD = Buffer.from('correct-horse')
const WRONG = Buffer.from('wrong-horse')
const RSA = 0x81010001
const ECC = 0x81010002
const LOCKED = 0x81010003
/** TPM_CC, Part 2 §6.5.2 */
const CC = { sign: 0x15d, load: 0x157, readPublic: 0x173 } as const

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
  await lab.keyAt(RSA, `-G rsa2048 -a ${SIGN}`)
  await lab.keyAt(ECC, `-G ecc256 -a ${SIGN}`)
  await lab.keyAt(LOCKED, `-G ecc256 -a ${SIGN} -p ${PASSWORD}`)
})
afterAll(() => lab.stop())

const opened: TpmSigningKey[] = []
afterEach(async () => {
  lab.proxy.fault = () => undefined
  for (const key of opened.splice(0)) await key.close()
  expect(await lab.loaded()).toEqual([]) // nothing is left in the TPM, whatever happened
})
async function open(init: Omit<OpenTpmSigningKeyInit, 'tpm'>): Promise<TpmSigningKey> {
  const key = await openTpmSigningKey({ tpm: lab.address, ...init })
  opened.push(key)
  return key
}

const isCode = (code: string) => expect.objectContaining({ name: 'Tpm2Error', code: `ERR_TPM_${code}` })
/** Whether `node:crypto` takes the signature, the salt as long as the hash. */
function holds({ publicKey }: TpmSigningKey, { scheme, hash }: SignatureScheme, signature: Uint8Array): boolean {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return verify(hash, MESSAGE, { key: publicKey, ...(scheme === 'rsassa-pss' && pss) }, signature)
}
async function signs(key: TpmSigningKey, scheme: SignatureScheme): Promise<boolean> {
  return holds(key, scheme, await key.sign(MESSAGE, scheme))
}
/** Any of the key's type. */
const fitting = ({ publicKey }: TpmSigningKey) => (publicKey.asymmetricKeyType === 'rsa' ? RS256 : ES256)
/** That many commands went over the bus meanwhile. */
async function commands(work: () => Promise<unknown>): Promise<number> {
  const before = lab.proxy.exchanges.length
  await work()
  return lab.proxy.exchanges.length - before
}
/** What the TPM answers to one command. */
const answering = (code: number, rc: string) => (exchange: { commandCode: number }) =>
  exchange.commandCode === code ? { answer: Buffer.from(`80010000000a${rc.padStart(8, '0')}`, 'hex') } : undefined

describe('keys of tpm2-tools', () => {
  it.each([
    ['rsa2048', 'rsassa-pkcs1-v1_5'],
    ['rsa2048', 'rsassa-pss'],
    ['rsa3072', 'rsassa-pss'],
    ['ecc256', 'ecdsa'],
    ['ecc384', 'ecdsa'],
    ['ecc521', 'ecdsa'],
  ] as const)('%s signs by %s, with all hashes', async (kind, scheme) => {
    const key = await open({ key: { pem: await lab.keyFile(`-G ${kind} -a ${SIGN}`) } })
    expect(key).toMatchObject({ name: 'tpm' })
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) expect(await signs(key, { scheme, hash })).toBe(true)
  })
  it.each([
    ['rsa2048:rsassa-sha256:null', RS256],
    ['rsa2048:rsapss-sha384:null', { scheme: 'rsassa-pss', hash: 'sha384' }],
    ['ecc384:ecdsa-sha384:null', { scheme: 'ecdsa', hash: 'sha384' }],
  ] as const)('%s signs in its own way alone', async (kind, own) => {
    const key = await open({ key: { pem: await lab.keyFile(`-G ${kind} -a ${SIGN}`) } })
    expect(await signs(key, own)).toBe(true)
    for (const other of [RS256, PS256, ES256].filter((it) => it !== own)) {
      expect(await commands(() => expect(key.sign(MESSAGE, other)).rejects.toEqual(isCode('SCHEME')))).toBe(0)
    }
  })
  it('signs from a persistent handle, in one command, as tpm2_readpublic and openssl dgst see it', async () => {
    for (const handle of [RSA, ECC]) {
      const key = await open({ key: { handle } })
      await lab.tool(`readpublic -Q -c 0x${handle.toString(16)} -f pem -o public.pem`)
      expect(key.publicKey.equals(createPublicKey(await lab.text('public.pem')))).toBe(true)
      await writeFile(join(lab.folder, 'message'), MESSAGE)
      expect(
        await commands(async () => writeFile(join(lab.folder, 'sig'), await key.sign(MESSAGE, fitting(key)))),
      ).toBe(1)
      expect(await lab.openssl('dgst -sha256 -verify public.pem -signature sig message')).toContain('Verified OK')
    }
    const exact = new Uint8Array(MESSAGE)
    const key = await open({ key: { handle: RSA } })
    const signing = key.sign(exact, RS256)
    exact.fill(0) // it was copied
    expect(holds(key, RS256, await signing)).toBe(true)
  })
  it('signs by a key that may also decrypt', async () => {
    const key = await open({ key: { pem: await lab.keyFile(`-G rsa2048 -a ${SIGN}|decrypt`) } })
    expect([await signs(key, RS256), await signs(key, PS256)]).toEqual([true, true])
  })
  it('imports a key that was duplicated to its parent', async () => {
    const duplicate = 'policycommandcode -Q -S s.ctx TPM2_CC_Duplicate'
    await lab.bareTool('startauthsession -Q -S s.ctx')
    await lab.bareTool(`${duplicate} -L dup.policy`)
    await lab.bareTool('flushcontext s.ctx')
    await lab.tool(
      'create -Q -C 0x81000001 -G ecc256 -a sensitivedataorigin|userwithauth|sign -L dup.policy -u k.pub -r k.priv',
    )
    await lab.bareTool('load -Q -C 0x81000001 -u k.pub -r k.priv -c k.ctx')
    await lab.bareTool('startauthsession -Q --policy-session -S s.ctx')
    await lab.bareTool(duplicate)
    await lab.bareTool('duplicate -Q -C 0x81000001 -c k.ctx -G null -p session:s.ctx -r dup.priv -s dup.seed')
    await lab.bareTool('flushcontext s.ctx')
    await lab.tool('flushcontext -t')
    const [area, wrapped, secret] = await Promise.all(
      ['k.pub', 'dup.priv', 'dup.seed'].map((name) => readFile(join(lab.folder, name))),
    )
    const pem = writeKeyFile({
      type: 'importable',
      parent: 0x81000001,
      public: area!,
      private: wrapped!,
      secret: secret!,
    })
    expect(await signs(await open({ key: { pem } }), ES256)).toBe(true)
  })
  it('opens a key below the endorsement key', async () => {
    const template: PublicArea = {
      type: 'ecc',
      nameAlg: 'sha256',
      attributes: ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'sign'],
      authPolicy: new Uint8Array(),
      curve: 'p256',
      x: new Uint8Array(),
      y: new Uint8Array(),
    }
    const tpm = await openTpm({ transport: () => openTransport(lab.address) })
    const made = await tpm.exclusively(async (it) => {
      const parent = await createPrimary(it, { hierarchy: 'endorsement', template: 'ek-ecc' })
      const auth = await startPolicySession(it)
      await policySecret(it, { session: auth, hierarchy: 'endorsement' })
      return create(it, { parent, auth, template, userAuth: PASSWORD })
    })
    await tpm.close()
    const parts = { parent: 0x4000000b, public: encodePublic(made.public), private: made.private }
    const key = { pem: writeKeyFile({ type: 'loadable', ...parts }) }
    expect(await signs(await open({ key, useEkParent: 'ecc', keyAuth: PASSWORD }), ES256)).toBe(true)
    await expect(open({ key, keyAuth: PASSWORD })).rejects.toEqual(isCode('KEY'))
  })
})

describe("keys of OpenSSL's tpm2 provider", () => {
  it.each([
    ['RSA', 'bits:2048', [RS256, PS256]],
    ['EC', 'group:P-256', [ES256]],
    ['EC', 'group:P-384', [ES256]],
  ])('%s, %s: has the key of the certificate that OpenSSL made with it', async (algorithm, option, schemes) => {
    await lab.openssl(`genpkey -algorithm ${algorithm} -pkeyopt ${option} -out key.pem`)
    await lab.openssl('req -x509 -new -key key.pem -sha256 -days 1 -subj /CN=machine.example.com -out cert.pem')
    const certificate = new X509Certificate(await lab.text('cert.pem'))
    const key = await open({ key: { pem: await lab.text('key.pem') } })
    expect(key.publicKey.equals(certificate.publicKey)).toBe(true)
    expect(certificate.verify(key.publicKey)).toBe(true)
    for (const scheme of schemes) expect(await signs(key, scheme)).toBe(true)
  })
  it('with a password, and a parent that has one', async () => {
    await lab.bareTool('createprimary -Q -C o -G ecc -p parentpw -c p.ctx')
    await lab.tool('evictcontrol -Q -C o -c p.ctx 0x8100000a')
    await lab.openssl(
      `genpkey -algorithm EC -pkeyopt group:P-256 -pkeyopt user-auth:${PASSWORD} -pkeyopt parent:0x8100000a -pkeyopt parent-auth:parentpw -out key.pem`,
    )
    const key = { pem: await lab.text('key.pem') }
    const parentAuth = Buffer.from('parentpw')
    expect(await signs(await open({ key, keyAuth: PASSWORD, parentAuth }), ES256)).toBe(true)
    await expect(open({ key, keyAuth: PASSWORD, parentAuth: WRONG })).rejects.toEqual(isCode('AUTH_FAIL'))
    expect(await lab.lockoutCounter()).toBe(1)
    await lab.tool('dictionarylockout --clear-lockout')
  })
})

describe('passwords', () => {
  it('M03 a wrong one is tried once at open', async () => {
    expect(await signs(await open({ key: { handle: LOCKED }, keyAuth: PASSWORD }), ES256)).toBe(true)
    await expect(open({ key: { handle: LOCKED }, keyAuth: WRONG })).rejects.toEqual(isCode('AUTH_FAIL'))
    expect(await lab.lockoutCounter()).toBe(1)
  })
  it('M03 the last try is left to a person', async () => {
    await expect(open({ key: { handle: LOCKED }, keyAuth: WRONG })).rejects.toEqual(isCode('AUTH_FAIL'))
    await expect(open({ key: { handle: LOCKED }, keyAuth: WRONG })).rejects.toEqual(isCode('LOCKOUT'))
    expect(await lab.lockoutCounter()).toBe(2)
    await lab.tool('dictionarylockout --clear-lockout')
  })
  it('M03 one that is wrong by now is tried once, for all callers', async () => {
    const key = await open({ key: { handle: LOCKED }, keyAuth: PASSWORD })
    lab.proxy.fault = answering(CC.sign, '98e')
    const tries = await Promise.allSettled(Array.from({ length: 10 }, () => key.sign(MESSAGE, ES256)))
    expect(tries.map((it) => it.status === 'rejected' && it.reason)).toEqual(Array(10).fill(isCode('AUTH_FAIL')))
    lab.proxy.fault = () => undefined
    expect(await commands(() => expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('AUTH_FAIL')))).toBe(0)
  })
})

it('M29 PCRs: signs while they are as they were, and a change is final', async () => {
  await lab.bareTool('startauthsession -Q -S s.ctx')
  await lab.bareTool('policypcr -Q -S s.ctx -l sha256:16 -L pcr.policy')
  await lab.bareTool('flushcontext s.ctx')
  const pem = await lab.keyFile('-G ecc256 -L pcr.policy -a fixedtpm|fixedparent|sensitivedataorigin|sign')
  const init = { key: { pem }, pcrs: parsePcrs('sha256:16') }
  const key = await open(init)
  expect(await signs(key, ES256)).toBe(true)
  await expect(open({ key: { pem } })).rejects.toEqual(isCode('POLICY_FAIL'))
  await lab.tool(`pcrextend 16:sha256=${'11'.repeat(32)}`)
  await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('POLICY_FAIL'))
  expect(await commands(() => expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('POLICY_FAIL')))).toBe(0)
  await expect(open(init)).rejects.toEqual(isCode('POLICY_FAIL'))
  await lab.tool('pcrreset 16')
  expect(await signs(await open(init), ES256)).toBe(true)
})

describe('M11 refuses', () => {
  it.each([
    ['a restricted key', `-G ecc256:ecdsa-sha256:null -a ${SIGN}|restricted`, /restricted/],
    ['a key that only decrypts', '-G rsa2048 -a fixedtpm|fixedparent|sensitivedataorigin|userwithauth|decrypt', /sign/],
    ['an HMAC key', `-G hmac -a ${SIGN}`, /RSA or ECC/],
    [
      'a key for SHA-1',
      `-G rsa2048:rsassa-sha1 -a ${SIGN}`,
      /scheme is rsassa with sha1: make one whose scheme is null/,
    ],
    ['a short key', `-G rsa1024 -a ${SIGN}`, /1024 bits/],
  ])('%s, and says why', async (_, options, why) => {
    const pem = await lab.keyFile(options)
    const from = lab.proxy.exchanges.length
    await expect(open({ key: { pem } })).rejects.toMatchObject({
      ...{ name: 'Tpm2Error', code: 'ERR_TPM_KEY' },
      message: expect.stringMatching(why),
    })
    expect(lab.proxy.exchanges.slice(from).map((it) => it.commandCode)).not.toContain(CC.load)
  })
  it('what is not there, not a key file, or of another TPM', async () => {
    await expect(open({ key: { handle: 0x8101ffff } })).rejects.toEqual(isCode('KEY'))
    await expect(open({ key: { pem: 'nonsense' } })).rejects.toEqual(isCode('KEY_FILE'))
    const other = await startLab()
    const pem = await other.keyFile(`-G ecc256 -a ${SIGN}`)
    await other.stop()
    await expect(open({ key: { pem } })).rejects.toEqual(isCode('KEY'))
  })
  it.each([
    ['a handle of something else', { key: { handle: 0x40000001 } }, RangeError],
    ['M18 encryption without a pinned name', { sessionEncryption: { name: '' } }, TypeError],
    ['a deadline of nothing', { timeoutMs: 0 }, RangeError],
  ])('%s, before it looks for a TPM', async (_, part, type) => {
    await expect(openTpmSigningKey({ tpm: 'unix:/nonexistent', key: { handle: RSA }, ...part })).rejects.toThrow(type)
  })
  it('M20 a TCP address', async () => {
    const init = { tpm: 'swtpm:127.0.0.1:2321', key: { handle: RSA } }
    await expect(openTpmSigningKey(init)).rejects.toThrow(/dangerouslyAllowTcp/)
  })
  it('what is no scheme, or not one of the key', async () => {
    const key = await open({ key: { handle: RSA } })
    await expect(key.sign(MESSAGE, { ...RS256, hash: 'sha1' as 'sha256' })).rejects.toThrow(TypeError)
    await expect(key.sign(MESSAGE, { ...RS256, scheme: 'rsassa' as 'ecdsa' })).rejects.toThrow(TypeError)
    await expect(key.sign('text' as unknown as Uint8Array, RS256)).rejects.toThrow(TypeError)
    await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('SCHEME'))
  })
})

describe('an answer that is not the right one', () => {
  it.each([
    ['a hash', '2c3'],
    ['a scheme', '2d2'],
  ])('says that the TPM does not have %s', async (_, rc) => {
    const key = await open({ key: { handle: RSA } })
    lab.proxy.fault = answering(CC.sign, rc)
    await expect(key.sign(MESSAGE, RS256)).rejects.toEqual(isCode('SCHEME'))
    lab.proxy.fault = () => undefined
    expect(await signs(key, RS256)).toBe(true)
  })
  it.each([
    ['RS256', RSA, RS256],
    ['PS256', RSA, PS256],
    ['ES256', ECC, ES256],
  ])('M04 a changed one is never a signature: %s', async (_, handle, scheme) => {
    const key = await open({ key: { handle } })
    lab.proxy.fault = ({ commandCode }) =>
      commandCode === CC.sign
        ? { response: (it) => Uint8Array.from(it, (octet, at) => (at === 40 ? octet ^ 1 : octet)) }
        : undefined
    await expect(key.sign(MESSAGE, scheme)).rejects.toEqual(isCode('RESPONSE'))
  })
  it('M15 nor is that of another key in the same TPM', async () => {
    await lab.keyAt(0x81010020, `-G rsa2048 -a ${SIGN}`)
    const key = await open({ key: { handle: RSA } })
    lab.proxy.fault = ({ command, commandCode }) =>
      commandCode === CC.sign ? { command: Uint8Array.from(command, (it, at) => (at === 13 ? 0x20 : it)) } : undefined
    await expect(key.sign(MESSAGE, RS256)).rejects.toEqual(isCode('RESPONSE'))
  })
  it('RFC 7518 §3.5: a salt of another length is told apart, with what to do', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await writeFile(join(lab.folder, 'known.pem'), privateKey.export({ type: 'pkcs1', format: 'pem' }))
    await lab.tool('import -Q -C 0x81000001 -G rsa -i known.pem -u k.pub -r k.priv -a sign|userwithauth')
    await lab.tool('encodeobject -Q -C 0x81000001 -p -u k.pub -r k.priv -o k.pem')
    const key = await open({ key: { pem: await lab.text('k.pem') } })
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN }
    const long = sign('sha256', MESSAGE, { key: privateKey, ...padding })
    lab.proxy.fault = ({ commandCode }) =>
      commandCode === CC.sign
        ? { response: (it) => Buffer.concat([it.subarray(0, 20), long, it.subarray(276)]) }
        : undefined
    await expect(key.sign(MESSAGE, PS256)).rejects.toMatchObject({
      code: 'ERR_TPM_SCHEME',
      message: expect.stringContaining('RS256'),
    })
    lab.proxy.fault = () => undefined
    expect(await signs(key, PS256)).toBe(true)
  })
})

describe('session encryption', () => {
  const key = 'ek-ecc'
  const encrypted = async () => ({ name: await readTpmKeyName({ tpm: lab.address, key }), key }) as const

  it('M17 shows no password, and not what is signed', async () => {
    const pem = await lab.keyFile(`-G rsa2048 -a ${SIGN} -p ${PASSWORD}`)
    const init = { key: { pem }, keyAuth: PASSWORD }
    const crossed = async (more: Partial<OpenTpmSigningKeyInit>) => {
      lab.proxy.exchanges.length = 0
      expect(await signs(await open({ ...init, ...more }), PS256)).toBe(true)
      const bus = Buffer.concat(lab.proxy.transcript)
      return [PASSWORD, createHash('sha256').update(MESSAGE).digest()].map((it) => bus.includes(it))
    }
    expect(await crossed({})).toEqual([true, true])
    expect(await crossed({ sessionEncryption: await encrypted() })).toEqual([false, false])
  })
  it('M04 a changed command is noticed by the TPM, a changed answer by us', async () => {
    const opening = await open({ key: { handle: ECC }, sessionEncryption: await encrypted() })
    lab.proxy.fault = ({ commandCode }) =>
      commandCode === CC.sign
        ? { response: (it) => Uint8Array.from(it, (octet, at) => octet ^ +(at === 25)) }
        : undefined
    await expect(opening.sign(MESSAGE, ES256)).rejects.toEqual(isCode('RESPONSE'))
    lab.proxy.fault = ({ command, commandCode }) =>
      commandCode === CC.sign
        ? { command: Uint8Array.from(command, (octet, at) => octet ^ +(at === command.length - 15)) }
        : undefined
    await expect(opening.sign(MESSAGE, ES256)).rejects.toEqual(isCode('RESPONSE'))
    lab.proxy.fault = () => undefined
    expect(await signs(opening, ES256)).toBe(true)
  })
  it('M15 does not show that a handle is of another key from the start: the public key does', async () => {
    const toTheOther = (command: Uint8Array) =>
      Uint8Array.from(command, (octet, at) => (at === 13 ? ECC & 0xff : octet))
    const init = { key: { handle: RSA }, sessionEncryption: await encrypted() }
    lab.proxy.fault = ({ command, commandCode }) =>
      commandCode === CC.readPublic || commandCode === CC.sign ? { command: toTheOther(command) } : undefined
    const deceived = await open(init)
    lab.proxy.fault = ({ command, commandCode }) =>
      commandCode === CC.readPublic ? { command: toTheOther(command) } : undefined
    await expect(open(init)).rejects.toEqual(isCode('RESPONSE')) // the TPM does not sign by a key that was not shown
    lab.proxy.fault = () => undefined
    expect(deceived.publicKey.equals((await open(init)).publicKey)).toBe(false)
  })
  it('M19 a TPM that is not the pinned one is final', async () => {
    const name = `000b${'5a'.repeat(32)}`
    const opening = open({ key: { handle: ECC }, sessionEncryption: { name, key } })
    await expect(opening).rejects.toEqual(isCode('UNTRUSTED'))
  })
})

describe('callers', () => {
  it('M27 fifty at once are answered in turn; more than may wait are turned away', async () => {
    const key = await open({ key: { handle: ECC }, maxWaiting: 49 })
    const all = await Promise.allSettled(Array.from({ length: 60 }, () => key.sign(MESSAGE, ES256)))
    const signatures = all.filter((it) => it.status === 'fulfilled').map(({ value }) => value)
    expect(signatures).toHaveLength(50)
    expect(signatures.every((it) => holds(key, ES256, it))).toBe(true)
    expect(new Set(signatures.map((it) => Buffer.from(it).toString('hex'))).size).toBe(50)
    expect(all.slice(50)).toEqual(Array(10).fill({ status: 'rejected', reason: isCode('OVERLOADED') }))
  })
  it('one who gives up, and one who is late, keep nobody else', async () => {
    const key = await open({ key: { handle: ECC }, timeoutMs: 500 })
    await expect(key.sign(MESSAGE, ES256, { signal: AbortSignal.abort() })).rejects.toEqual(isCode('ABORTED'))
    const controller = new AbortController()
    lab.proxy.fault = () => {
      controller.abort()
      return undefined
    }
    await expect(key.sign(MESSAGE, ES256, { signal: controller.signal })).rejects.toEqual(isCode('ABORTED'))
    let goOn = () => {}
    lab.proxy.fault = () => ({ response: (it) => new Promise((resolve) => (goOn = () => resolve(it))) })
    await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('TIMEOUT'))
    goOn()
    lab.proxy.fault = () => undefined
    expect(await signs(key, ES256)).toBe(true)
  })
  it('who waits when it is closed is turned away, and all after', async () => {
    const key = await open({ key: { handle: ECC } })
    const waiting = Promise.allSettled(Array.from({ length: 3 }, () => key.sign(MESSAGE, ES256)))
    await Promise.all([key.close(), key.close()])
    for (const it of await waiting) expect(it).toMatchObject({ reason: isCode('CLOSED') })
    await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('CLOSED'))
  })
})

describe('a TPM that comes and goes', () => {
  it('M01 says that it is not there', async () => {
    const nobody = openTpmSigningKey({ tpm: `unix:${lab.folder}/nobody.sock`, key: { handle: ECC } })
    await expect(nobody).rejects.toEqual(isCode('UNREACHABLE'))
  })
  it('M02 goes on after a lost connection, and a power cycle', async () => {
    const key = await open({ key: { handle: ECC } })
    lab.proxy.fault = ({ commandCode }) => (commandCode === CC.sign ? { drop: 'after' } : undefined)
    await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('UNREACHABLE'))
    lab.proxy.fault = () => undefined
    expect(await signs(key, ES256)).toBe(true)
    await lab.swtpm.kill()
    await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('UNREACHABLE'))
    await lab.swtpm.restart()
    expect(await signs(key, ES256)).toBe(true)
  })
  it('M15 another key after that is never used', async () => {
    await lab.keyAt(0x81010030, `-G ecc256 -a ${SIGN}`)
    const key = await open({ key: { handle: 0x81010030 } })
    await lab.tool('evictcontrol -Q -C o -c 0x81010030')
    await lab.keyAt(0x81010030, `-G ecc256 -a ${SIGN}`)
    lab.proxy.fault = () => ({ drop: 'before' })
    await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('UNREACHABLE'))
    lab.proxy.fault = () => undefined
    const from = lab.proxy.exchanges.length
    await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('KEY_CHANGED'))
    expect(lab.proxy.exchanges.slice(from).map((it) => it.commandCode)).not.toContain(CC.sign)
    expect(await commands(() => expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('KEY_CHANGED')))).toBe(0)
  })
  it('M07 leaves nothing behind where it breaks off', async () => {
    const pem = await lab.keyFile(`-G ecc256 -a ${SIGN}`)
    const key = await open({ key: { pem } })
    for (const broken of [CC.load, CC.sign]) {
      lab.proxy.fault = answering(broken, '101') // TPM_RC_FAILURE
      await expect(key.sign(MESSAGE, ES256)).rejects.toEqual(isCode('RC'))
      expect(await lab.loaded()).toEqual([])
    }
    lab.proxy.fault = () => undefined
    expect(await signs(key, ES256)).toBe(true)
  })
  it('uses a Tpm that is open already, and leaves it open', async () => {
    const tpm = await openTpm({ transport: () => openTransport(lab.address) })
    const key = await openTpmSigningKey({ tpm, key: { handle: ECC } })
    expect(await signs(key, ES256)).toBe(true)
    await key.close()
    await openTpmSigningKey({ tpm, key: { handle: ECC } })
    await tpm.close()
  })
})
