import { execFile } from 'node:child_process'
import { verify } from 'node:crypto'
import { promisify } from 'node:util'
import { startSwtpm, startTpmProxy, type TestSwtpm, type TestTpmProxy } from '@hardbound/testkit/hardware'
import { openTpm, openTransport } from '@hardbound/tpm2'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { openTpmKey, type TpmKeyInit } from '../../src/identity/open-tpm-key.ts'
import { parseTpmHandle } from '../../src/identity/parse-tpm-handle.ts'
import { type TpmIdentityInit, tpmIdentity } from '../../src/identity/tpm.ts'
import type { X509IdentitySource } from '../../src/index.ts'
import { createLab, type Lab, MESSAGE, rejection, signs, subjects } from './lab.ts'

const H2 = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
const SIGN = 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth'
const NODA = `${SIGN}|noda`
const PROVIDERS = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2']
const PASSWORD = 'correct-horse'
const CC_SIGN = 0x15d

let lab: Lab
let swtpm: TestSwtpm
let proxy: TestTpmProxy
async function tool(line: string): Promise<string> {
  const env = { ...process.env, TPM2TOOLS_TCTI: proxy.tpm2ToolsTcti, TPM2OPENSSL_TCTI: proxy.tpm2ToolsTcti }
  const run = (program: string, args: string[]) =>
    promisify(execFile)(program, args, { env, cwd: lab.folder, timeout: 20_000 })
  if (line.startsWith('openssl '))
    return (
      await run(
        'openssl',
        line
          .split(' ')
          .slice(1)
          .flatMap((it) => (it === 'PROVIDERS' ? PROVIDERS : [it])),
      )
    ).stdout
  const [name, ...args] = line.split(/ +/)
  const { stdout } = await run(`tpm2_${name}`, args)
  for (const kind of ['-t', '-l']) await run('tpm2_flushcontext', [kind])
  return stdout
}
/** `<name>.pem`, below the primary of the owner hierarchy or a persistent parent; and `<name>.crt`. */
async function keyFile(name: string, options: string, parent = '0x81000001', encode = ''): Promise<void> {
  await tool(`create -Q -C ${parent} ${options} -u ${name}.pub -r ${name}.priv`)
  await tool(`encodeobject -Q -C ${parent} ${encode} -u ${name}.pub -r ${name}.priv -o ${name}.pem`)
}
async function keyAt(name: string, handle: string, options: string): Promise<void> {
  await tool(`create -Q -C 0x81000001 ${options} -u ${name}.pub -r ${name}.priv`)
  await tool(`load -Q -C 0x81000001 -u ${name}.pub -r ${name}.priv -c ${name}.ctx`)
  await tool(`readpublic -Q -c ${name}.ctx -f pem -o ${name}.public.pem`)
  await tool(`load -Q -C 0x81000001 -u ${name}.pub -r ${name}.priv -c ${name}.ctx`)
  await tool(`evictcontrol -Q -C o -c ${name}.ctx ${handle}`)
}
/** For a public key, as only the TPM has the private one. */
async function certify(name: string): Promise<void> {
  const subject = ['-subj', `/CN=${name}.example.com`]
  await lab.openssl('req', '-new', '-key', 'ec.key', ...subject, '-out', `${name}.csr`)
  const issuer = ['-CA', 'intermediate.crt', '-CAkey', 'intermediate.key', '-CAcreateserial', '-days', '30']
  await lab.openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-force_pubkey',
    `${name}.public.pem`,
    ...issuer,
    '-out',
    `${name}.crt`,
  )
}
async function publicOf(name: string, parent = '0x81000001', parentAuth = ''): Promise<void> {
  await tool(
    `load -Q -C ${parent} ${parentAuth ? `-P ${parentAuth} ` : ''}-u ${name}.pub -r ${name}.priv -c ${name}.ctx`,
  )
  await tool(`readpublic -Q -c ${name}.ctx -f pem -o ${name}.public.pem`)
}
const lockoutCounter = async () =>
  Number(/TPM2_PT_LOCKOUT_COUNTER: (0x\w+)/.exec(await tool('getcap properties-variable'))?.[1])

beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('ec')
  swtpm = await startSwtpm()
  proxy = await startTpmProxy(swtpm.address)
  await tool(`createprimary -Q -C o -G ecc256:aes128cfb -a ${H2} -c h2.ctx`)
  await tool('evictcontrol -Q -C o -c h2.ctx 0x81000001')
  for (const [name, options] of [
    ['p256', `-G ecc256 -a ${NODA}`],
    ['p384', `-G ecc384 -a ${NODA}`],
    ['rsa', `-G rsa2048 -a ${NODA}`],
    ['locked', `-G ecc256 -a ${NODA} -p ${PASSWORD}`],
    ['counted', `-G ecc256 -a ${SIGN} -p ${PASSWORD}`],
    ['decrypts', `-G rsa2048 -a fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|decrypt`],
  ] as const) {
    await keyFile(name, options, '0x81000001', name === 'locked' || name === 'counted' ? '-p' : '')
    await publicOf(name)
    await certify(name)
  }
}, 120_000)
afterAll(async () => {
  await proxy.close()
  await swtpm.stop()
  await lab.remove()
})

const opened: X509IdentitySource[] = []
afterEach(async () => {
  for (const it of opened.splice(0)) await it.close()
})
function open(name: string, init: Partial<TpmIdentityInit> = {}): X509IdentitySource {
  const source = tpmIdentity({
    tpm: proxy.address,
    certificateFile: lab.path(`${name}.crt`),
    key: { file: lab.path(`${name}.pem`) },
    ...init,
  })
  opened.push(source)
  return source
}

describe('key files of tpm2-tools', () => {
  it.each(['p256', 'p384', 'rsa'])(
    '%s signs with all hashes; SHA-256 on P-384 too, as CreateSession has it',
    async (name) => {
      const source = open(name)
      const identity = await source.current()
      expect([source.name, identity.keyType]).toEqual(['tpm', name === 'rsa' ? 'rsa' : 'ec'])
      for (const hash of ['sha256', 'sha384', 'sha512'] as const) expect(await signs(identity, hash)).toBe(true)
      expect(await source.current()).toBe(identity)
    },
  )

  it("of the hierarchy itself, as the original's users make them", async () => {
    await tool(`createprimary -Q -C o -G ecc256:aes128cfb -a ${H2} -c p.ctx`)
    await tool(`create -Q -C p.ctx -G ecc256 -a ${NODA} -u h.pub -r h.priv`)
    await tool(`createprimary -Q -C o -G ecc256:aes128cfb -a ${H2} -c p.ctx`)
    await tool(`load -Q -C p.ctx -u h.pub -r h.priv -c h.ctx`)
    await tool(`readpublic -Q -c h.ctx -f pem -o h.public.pem`)
    await tool(`createprimary -Q -C o -G ecc256:aes128cfb -a ${H2} -c p.ctx`)
    await tool(`encodeobject -Q -C p.ctx -u h.pub -r h.priv -o h.pem`)
    await certify('h')
    expect(await signs(await open('h').current())).toBe(true)
  })

  it('in one file with the certificate and its chain, in any order', async () => {
    const parts = await Promise.all(['p256.pem', 'p256.crt', 'intermediate.crt'].map((it) => lab.text(it)))
    for (const [a, b, c] of [
      [0, 1, 2],
      [1, 2, 0],
    ] as const) {
      await lab.write('combined.pem', [parts[a], parts[b], parts[c]].join('some text\n'))
      const identity = await open('combined', { certificateFile: lab.path('combined.pem'), key: undefined }).current()
      expect(await signs(identity)).toBe(true)
      expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
    }
  })

  it('as text, with intermediates in a file', async () => {
    const init = { key: { pem: await lab.text('p256.pem') }, intermediatesFile: lab.path('intermediate.crt') }
    const identity = await open('p256', init).current()
    expect(await signs(identity)).toBe(true)
    expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
  })

  it("of openssl's provider", async () => {
    await tool('openssl genpkey PROVIDERS -algorithm EC -pkeyopt group:P-256 -out provider.pem')
    await tool('openssl pkey PROVIDERS -in provider.pem -pubout -out provider.public.pem')
    await certify('provider')
    expect(await signs(await open('provider').current())).toBe(true)
  })
})

describe('passwords', () => {
  it.each(['locked', 'counted'])('%s: given, or asked for', async (name) => {
    const before = await lockoutCounter()
    const asked = jest.fn(() => Promise.resolve(PASSWORD))
    for (const keyPassword of [PASSWORD, Buffer.from(PASSWORD), asked]) {
      expect(await signs(await open(name, { keyPassword }).current())).toBe(true)
      for (const it of opened.splice(0)) await it.close()
    }
    expect(asked).toHaveBeenCalledTimes(1)
    expect(await lockoutCounter()).toBe(before + (name === 'counted' ? 1 : 0)) // the file says that it is empty, and is wrong
  })

  it('asks nobody where there is none', async () => {
    const keyPassword = jest.fn(() => PASSWORD)
    expect(await signs(await open('p256', { keyPassword }).current())).toBe(true)
    expect(keyPassword).not.toHaveBeenCalled()
  })

  it('M: shows a wrong one once, however often it is asked, and says it nowhere', async () => {
    const before = await lockoutCounter()
    const source = open('counted', { keyPassword: 'wrong-horse' })
    const errors = [await rejection(source), await rejection(source)]
    for (const it of errors) {
      expect(it).toMatchObject({ code: 'ERR_RA_PASSWORD' })
      expect(`${it.stack} ${String(it.cause)}`).not.toContain('wrong-horse')
    }
    expect(await lockoutCounter()).toBe(before + 1)
    await tool('dictionarylockout -Q -c')
  })

  it('M: refuses one for a key that has none', async () => {
    expect(await rejection(open('p256', { keyPassword: PASSWORD }))).toMatchObject({ code: 'ERR_RA_PASSWORD' })
  })

  it('has one for the parent', async () => {
    await tool(`createprimary -Q -C o -G ecc256:aes128cfb -a ${H2} -p parent-horse -c pp.ctx`)
    await tool('evictcontrol -Q -C o -c pp.ctx 0x81000002')
    await tool(`create -Q -C 0x81000002 -P parent-horse -G ecc256 -a ${NODA} -u child.pub -r child.priv`)
    await tool('encodeobject -Q -C 0x81000002 -P parent-horse -u child.pub -r child.priv -o child.pem')
    await publicOf('child', '0x81000002', 'parent-horse')
    await certify('child')
    expect(await signs(await open('child', { parentPassword: 'parent-horse' }).current())).toBe(true)
    expect(await rejection(open('child', {}))).toMatchObject({ code: 'ERR_RA_PASSWORD' })
  })
})

describe('persistent handles', () => {
  it('sign, with a password too', async () => {
    await keyAt('at1', '0x81000101', `-G ecc256 -a ${NODA}`)
    await keyAt('at2', '0x81000102', `-G rsa2048 -a ${NODA} -p ${PASSWORD}`)
    for (const name of ['at1', 'at2']) await certify(name)
    expect(await signs(await open('at1', { key: { handle: parseTpmHandle('handle:0x81000101') } }).current())).toBe(
      true,
    )
    const asked = jest.fn(() => PASSWORD)
    const key = { handle: parseTpmHandle('handle:81000102') }
    for (const it of opened.splice(0)) await it.close()
    expect(await signs(await open('at2', { key, keyPassword: PASSWORD }).current())).toBe(true)
    for (const it of opened.splice(0)) await it.close()
    expect(await signs(await open('at2', { key, keyPassword: asked }).current())).toBe(true)
    expect(asked).toHaveBeenCalledTimes(1)
    for (const it of opened.splice(0)) await it.close()
    expect(await rejection(open('at1', { key: { handle: 0x81000199 } }))).toMatchObject({ code: 'ERR_RA_KEY' })
  })

  it('F: are looked at anew when the certificate changes, as the key may have been', async () => {
    await keyAt('old', '0x81000103', `-G ecc256 -a ${NODA}`)
    await certify('old')
    await lab.write('live.crt', await lab.text('old.crt'))
    const source = open('old', { certificateFile: lab.path('live.crt'), key: { handle: 0x81000103 } })
    const before = await source.current()
    expect(await signs(before)).toBe(true)
    await tool('evictcontrol -Q -C o -c 0x81000103')
    await keyAt('new', '0x81000103', `-G ecc256 -a ${NODA}`)
    await certify('new')
    await lab.write('live.crt', await lab.text('new.crt'))
    expect(await signs(await source.current())).toBe(true)
    await expect(before.sign(Buffer.from('a'), 'sha256')).rejects.toMatchObject({ name: 'RolesAnywhereError' })
  })

  it.each(['handle:', 'handle:0x', 'handle:81:01', '0x81000101', 'handle:g', 'handle:0x811111111', ' handle:81'])(
    'parseTpmHandle refuses %p',
    (text) => {
      expect(() => parseTpmHandle(text)).toThrow(TypeError)
    },
  )
})

describe('rotation', () => {
  it('F: renews the certificate of the same key, opening it once', async () => {
    await lab.write('live.crt', await lab.text('p256.crt'))
    const source = open('p256', { certificateFile: lab.path('live.crt') })
    await source.current()
    await certify('p256')
    await lab.write('live.crt', await lab.text('p256.crt'))
    const before = proxy.exchanges.filter((it) => it.commandCode === CC_SIGN).length
    const identity = await source.current()
    expect(proxy.exchanges.filter((it) => it.commandCode === CC_SIGN)).toHaveLength(before)
    expect(await signs(identity)).toBe(true)
  })

  it('F: takes a new key with its certificate, and neither without the other', async () => {
    await lab.write('live.crt', await lab.text('p256.crt'))
    await lab.write('live.pem', await lab.text('p256.pem'))
    const source = open('live', {})
    const first = await source.current()
    await lab.write('live.pem', await lab.text('rsa.pem'))
    expect(await source.current()).toBe(first)
    await lab.write('live.crt', await lab.text('rsa.crt'))
    const second = await source.current()
    expect(second.keyType).toBe('rsa')
    expect([await signs(first), await signs(second)]).toEqual([true, true])
  })
})

describe('what it refuses', () => {
  it.each([
    [
      'the key of another certificate',
      'p256',
      { key: { file: 'rsa.pem' } },
      'ERR_RA_MISMATCH',
      /rsa.pem is not that of the certificate/,
    ],
    ['a key that may not sign', 'decrypts', {}, 'ERR_RA_KEY', /may not sign/],
    ['a file without a key', 'p256', { key: { file: 'p256.crt' } }, 'ERR_RA_KEY', /no TSS2 PRIVATE KEY is in/],
    ['a key in software', 'ec', { key: { file: 'ec.key' } }, 'ERR_RA_KEY', /no TSS2 PRIVATE KEY is in/],
    ['a missing file', 'p256', { key: { file: 'none.pem' } }, 'ERR_RA_FILE', /none.pem is not there/],
    ['a TPM that is not there', 'p256', { tpm: 'unix:/nonexistent/tpm' }, 'ERR_RA_DEVICE', /TPM: /],
  ] as const)('%s', async (_, name, init, code, message) => {
    const key = 'key' in init ? { key: { file: lab.path(init.key.file) } } : {}
    expect(await rejection(open(name, { ...init, ...key }))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it('options that are none', () => {
    expect(() => tpmIdentity({} as never)).toThrow(TypeError)
    expect(() => tpmIdentity({ certificateFile: 'a', key: { file: '' } })).toThrow(TypeError)
  })
})

it('uses an open TPM, and leaves it open; turns all away after close', async () => {
  const tpm = await openTpm({ transport: () => openTransport(proxy.address) })
  const source = open('p256', { tpm })
  const identity = await source.current()
  await source.close()
  await expect(identity.sign(Buffer.from('a'), 'sha256')).rejects.toMatchObject({ name: 'RolesAnywhereError' })
  expect((await rejection(source)).code).toBe('ERR_RA_CLOSED')
  expect(await signs(await open('rsa', { tpm }).current())).toBe(true)
  for (const it of opened.splice(0)) await it.close()
  await tpm.close()
})

describe('openTpmKey', () => {
  const openKey = (name: string, init: Partial<TpmKeyInit> = {}) =>
    openTpmKey({ tpm: proxy.address, key: { file: lab.path(`${name}.pem`) }, ...init })
  it.each(['p256', 'p384', 'rsa'])('signs with a key whose certificate does not matter: %s', async (name) => {
    const key = await openKey(name)
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
      expect(verify(hash, MESSAGE, key.publicKey!, await key.sign(MESSAGE, hash))).toBe(true)
    }
    await key.close()
  })

  it('asks for a password where one is needed', async () => {
    const keyPassword = jest.fn(() => PASSWORD)
    for (const name of ['locked', 'p256']) await (await openKey(name, { keyPassword })).close()
    expect(keyPassword).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['M03 a wrong password', () => openKey('locked', { keyPassword: 'hunter2' }), 'ERR_RA_PASSWORD'],
    ['a key that may not sign', () => openKey('decrypts'), 'ERR_RA_KEY'],
    ['a file without a key', () => openKey('p256', { key: { file: lab.path('p256.crt') } }), 'ERR_RA_KEY'],
    ['a file that is not there', () => openKey('none'), 'ERR_RA_FILE'],
    ['M01 no TPM', () => openKey('p256', { tpm: '/dev/nonexistent' }), 'ERR_RA_DEVICE'],
  ])('refuses %s', async (_, work, code) => {
    expect(await rejection(work())).toMatchObject({ code })
  })
})
