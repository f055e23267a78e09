import { createHmac, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type HmacBackend, HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { describeHmacBackend } from '@hardbound/testkit/hmac-backend'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { importPkcs11HmacKey, type OpenPkcs11HmacInit, openPkcs11Hmac } from '../src/index.ts'
import { faults, KEY, rejection } from './helpers.ts'

const DAY = Buffer.from('20150830')
const EXPECTED = createHmac('sha256', KEY).update(DAY).digest('hex')
/** First 16 octets of HMAC-SHA-256(KEY, "hardbound/known-answer/v1"), by node:crypto. */
const KNOWN_ANSWER = createHmac('sha256', KEY).update('hardbound/known-answer/v1').digest('hex').slice(0, 32)

let softHsm: TestSoftHsm
const open: HmacBackend[] = []

beforeAll(async () => {
  softHsm = await createSoftHsm({ keys: [{ label: 'aws', id: '0a01', value: KEY }] })
  softHsm.activate()
})
afterEach(async () => {
  faults.reset()
  await Promise.all(open.splice(0).map((it) => it.close()))
  faults.reset()
  await softHsm.restoreToken()
})
afterAll(() => softHsm.remove())

async function start(init: Partial<OpenPkcs11HmacInit> = {}): Promise<HmacBackend> {
  const backend = await openPkcs11Hmac({ uri: softHsm.uri('aws'), addon: faults.addon, reconnectDelayMs: 0, ...init })
  open.push(backend)
  return backend
}
const tag = async (backend: HmacBackend, signal?: AbortSignal): Promise<string> =>
  Buffer.from(await backend.hmacSha256(DAY, signal === undefined ? {} : { signal })).toString('hex')

for (const keyType of ['generic-secret', 'sha256-hmac'] as const) {
  describeHmacBackend(`SoftHSM, ${keyType}`, async (secret) => {
    const label = `conformance-${keyType}`
    const { uri, knownAnswer } = await importPkcs11HmacKey({ uri: softHsm.uri(label), secret, keyType })
    return openPkcs11Hmac({ uri, knownAnswer })
  })
}

describe('openPkcs11Hmac', () => {
  it('uses a key that pkcs11-tool wrote, by label or by id', async () => {
    expect(await tag(await start({ knownAnswer: KNOWN_ANSWER }))).toBe(EXPECTED)
    expect(await tag(await start({ uri: softHsm.uri().replace('?', ';id=%0A%01?') }))).toBe(EXPECTED)
  })

  it('M08 gives 10,000 tags with no session more than it may have', async () => {
    const backend = await start()
    for (let at = 0; at < 10_000; at++) await backend.hmacSha256(DAY)
    await backend.close()
    const count = (name: string) => faults.calls.filter((it) => it === name).length
    expect(count('C_OpenSession')).toBeLessThanOrEqual(2)
    expect(count('C_CloseSession')).toBe(count('C_OpenSession'))
    expect(count('C_Login')).toBe(1)
  })

  it('M09 says so while the token is out, and goes on when it is back', async () => {
    const backend = await start()
    await softHsm.removeToken()
    for (let at = 0; at < 3; at++) {
      await expect(tag(backend)).rejects.toMatchObject({ code: 'ERR_HMAC_UNAVAILABLE', tryNextLink: true })
    }
    await softHsm.restoreToken()
    expect(await tag(backend)).toBe(EXPECTED)
  })

  it.each([
    ['C_SignInit', 'DEVICE_REMOVED', 0x32],
    ['C_SignAsync', 'DEVICE_ERROR', 0x30],
    ['C_SignInit', 'TOKEN_NOT_PRESENT', 0xe0],
    ['C_SignInit', 'SESSION_HANDLE_INVALID', 0xb3],
    ['C_SignAsync', 'SESSION_CLOSED', 0xb0],
    ['C_SignInit', 'USER_NOT_LOGGED_IN', 0x101],
    ['C_SignInit', 'KEY_HANDLE_INVALID', 0x60],
  ])('M12 answers although %s said CKR_%s, with at most one more login', async (name, _, rv) => {
    const backend = await start({ blockingLimitMs: 0 })
    const logins = () => faults.calls.filter((it) => it === 'C_Login').length
    faults.fail(name, rv)
    expect(await tag(backend)).toBe(EXPECTED)
    expect(logins()).toBeLessThanOrEqual(2)
  })

  it('M11 wants one key, of a fitting type, that signs and stays where it is', async () => {
    await softHsm.writeKey({ label: 'twice', id: '01', value: KEY })
    await softHsm.writeKey({ label: 'twice', id: '02', value: KEY })
    await softHsm.writeKey({ label: 'open', value: KEY, sensitive: false, extractable: true })
    await softHsm.tool('--keygen', '--key-type', 'AES:32', '--label', 'aes')
    const problem = async (label: string, init = {}) => rejection(start({ uri: softHsm.uri(label), ...init }))
    expect(await problem('none')).toMatchObject({
      code: 'ERR_HMAC_KEY',
      message: expect.stringContaining('no secret-key'),
    })
    expect(await problem('twice')).toMatchObject({
      code: 'ERR_HMAC_KEY',
      message: expect.stringContaining('2 objects'),
    })
    expect(await problem('aes')).toMatchObject({ code: 'ERR_HMAC_KEY', message: expect.stringContaining('type') })
    expect(await problem('open')).toMatchObject({
      code: 'ERR_HMAC_KEY',
      message: expect.stringContaining('CKA_SENSITIVE'),
    })
    const allowed = await start({ uri: softHsm.uri('open'), dangerouslyAllowExtractable: true })
    expect(await tag(allowed)).toBe(EXPECTED)
  })

  it.each([
    ['CKA_SIGN', 0x108, 0],
    ['CKA_SENSITIVE', 0x103, 0],
    ['CKA_EXTRACTABLE', 0x162, 1],
    ['CKA_PRIVATE', 0x2, 0],
  ])('M11 looks at %s', async (name, type, value) => {
    faults.replace('C_GetAttributeValue', (real, session, object, template) => {
      const [asked] = template as { type: number }[]
      return asked?.type === type ? [{ type, value: Buffer.of(value) }] : real(session, object, template)
    })
    await expect(start()).rejects.toMatchObject({ code: 'ERR_HMAC_KEY', message: expect.stringContaining(name) })
  })

  it.each([
    ['CKA_KEY_TYPE', 0x100, 'type'],
    ['CKA_SIGN', 0x108, 'CKA_SIGN'],
    ['CKA_SENSITIVE', 0x103, 'CKA_SENSITIVE'],
    ['CKA_EXTRACTABLE', 0x162, 'CKA_EXTRACTABLE'],
    ['CKA_PRIVATE', 0x2, 'CKA_PRIVATE'],
  ])('M11 takes %s for the worse where the token does not have it', async (_, type, why) => {
    faults.replace('C_GetAttributeValue', (real, session, object, template) => {
      const [asked] = template as { type: number }[]
      return asked?.type === type ? [{ type }] : real(session, object, template)
    })
    await expect(start()).rejects.toMatchObject({ code: 'ERR_HMAC_KEY', message: expect.stringContaining(why) })
  })

  it('M11 takes a key that wants no PIN only where told to', async () => {
    const [file, label] = [join(softHsm.folder, 'public'), 'public']
    await writeFile(file, KEY)
    await softHsm.tool('--write-object', file, '--type', 'secrkey', '--usage-sign', '--sensitive', '--label', label)
    const uri = softHsm.uri(label)
    await expect(start({ uri })).rejects.toMatchObject({
      code: 'ERR_HMAC_KEY',
      message: expect.stringContaining('PIN'),
    })
    expect(await tag(await start({ uri, dangerouslyAllowExtractable: true }))).toBe(EXPECTED)
  })

  it('M11 takes a key without any attributes for the worst', async () => {
    faults.fail('C_GetAttributeValue', 0x12, 100)
    await expect(start()).rejects.toMatchObject({ code: 'ERR_HMAC_KEY' })
  })

  it('refuses another key than the one that was enrolled', async () => {
    await expect(start({ knownAnswer: '0'.repeat(32) })).rejects.toMatchObject({ code: 'ERR_HMAC_KNOWN_ANSWER' })
  })

  it('M15 asks for the known answer again once one of two sessions is lost, and uses no handle from before', async () => {
    const backend = await start({ blockingLimitMs: 0, knownAnswer: KNOWN_ANSWER })
    let back = (): void => {}
    faults.replace('C_SignAsync', (real, ...args) => new Promise((done) => (back = () => done(real(...args)))))
    const held = tag(backend)
    faults.replace('C_SignAsync', async () => randomBytes(32)) // another token by now
    faults.fail('C_SignInit', 0xb3)
    await expect(tag(backend)).rejects.toMatchObject({ code: 'ERR_HMAC_KNOWN_ANSWER' })
    back()
    expect(await held).toBe(EXPECTED)
  })

  it.each([true, false])(
    'M15 is disabled when another key answers after a reconnect (noted at enrolment: %p)',
    async (noted) => {
      const backend = await start({ blockingLimitMs: 0, ...(noted && { knownAnswer: KNOWN_ANSWER }) })
      expect(await tag(backend)).toBe(EXPECTED)
      faults.fail('C_SignInit', 0x32)
      faults.replace('C_SignAsync', async () => randomBytes(32))
      const first = await rejection<HmacBackendError>(tag(backend))
      expect(first).toMatchObject({ code: 'ERR_HMAC_KNOWN_ANSWER', tryNextLink: false })
      faults.reset()
      expect(await rejection(tag(backend))).toBe(first)
      expect(faults.calls).toEqual([])
    },
  )

  it.each([
    ['ERR_HMAC_DENIED', 0],
    ['ERR_HMAC_LOCKED', 0x10000],
    ['ERR_HMAC_LOCKED', 0x20000],
    ['ERR_HMAC_LOCKED', 0x40000],
  ])('M16 is %s for a refused PIN or flags %i', async (code, flag) => {
    if (flag === 0) faults.fail('C_Login', 0xa0)
    faults.replace('C_GetTokenInfo', (real, slot) => {
      const info = real(slot) as { flags: number }
      return { ...info, flags: info.flags | flag }
    })
    const error = await rejection<HmacBackendError>(start())
    expect(error).toMatchObject({ code, tryNextLink: false })
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(flag === 0 ? 1 : 0)
    faults.reset()
    await start({ tryPinWhenCountLow: true }) // it is the right one
  })

  it('M27 serves 200 callers of a slow token in turn, and refuses what is beyond its bound', async () => {
    const backend = await start({ blockingLimitMs: 0, maxSessions: 1, maxWaiting: 200 })
    const held: (() => void)[] = []
    faults.replace('C_SignAsync', (real, ...args) => new Promise((done) => held.push(() => done(real(...args)))))
    const served: number[] = []
    const calls = Array.from({ length: 201 }, (_, at) => tag(backend).then(() => served.push(at)))
    await expect(tag(backend)).rejects.toMatchObject({ code: 'ERR_HMAC_OVERLOADED' })
    while (served.length < 201) {
      for (const release of held.splice(0)) release()
      await new Promise(setImmediate)
    }
    await Promise.all(calls)
    expect(served).toEqual(Array.from({ length: 201 }, (_, at) => at))
  })

  it('M27 keeps its deadline when the token hangs, and the next caller is served when it is back', async () => {
    const backend = await start({ blockingLimitMs: 0, maxSessions: 1, timeoutMs: 20 })
    let back = (): void => {}
    faults.replace('C_SignAsync', (real, ...args) => new Promise((done) => (back = () => done(real(...args)))))
    await expect(tag(backend)).rejects.toMatchObject({ code: 'ERR_HMAC_TIMEOUT' })
    await expect(tag(backend)).rejects.toMatchObject({ code: 'ERR_HMAC_TIMEOUT' })
    faults.reset()
    back()
    expect(await tag(backend)).toBe(EXPECTED)
  })

  it('gives up for a caller whose signal fires', async () => {
    const backend = await start({ blockingLimitMs: 0 })
    const controller = new AbortController()
    const late = tag(backend, controller.signal)
    controller.abort()
    await expect(late).rejects.toMatchObject({ code: 'ERR_HMAC_ABORTED' })
  })

  it.each([0, 31, 33])('refuses a tag of %i octets', async (octets) => {
    faults.replace('C_SignAsync', async () => Buffer.alloc(octets))
    await expect(start()).rejects.toMatchObject({ code: 'ERR_HMAC_RESPONSE' })
  })

  it('says what is missing: module, token, mechanism', async () => {
    const missing = softHsm.uri('aws').replace(softHsm.modulePath, '/usr/lib/no-such-module.so')
    await expect(start({ uri: missing })).rejects.toMatchObject({ code: 'ERR_HMAC_MODULE', tryNextLink: true })
    const other = softHsm.uri('aws').replace('token=hardbound', 'token=other')
    await expect(start({ uri: other })).rejects.toMatchObject({ code: 'ERR_HMAC_UNAVAILABLE' })
    faults.fail('C_SignInit', 0x70, 10)
    await expect(start()).rejects.toMatchObject({
      code: 'ERR_HMAC_KEY',
      message: 'pkcs11: C_SignInit: CKR_MECHANISM_INVALID',
    })
  })

  it.each(['pkcs11:token=hardbound', 'pkcs11:object=a;type=private', 'https://example.com'])(
    'refuses %s, which names no secret key',
    async (uri) => {
      await expect(start({ uri })).rejects.toThrow(TypeError)
    },
  )

  it('refuses a known answer that is none', async () => {
    await expect(start({ knownAnswer: 'abc' })).rejects.toThrow(TypeError)
  })

  it('M13 has neither PIN nor key in any error, however deep', async () => {
    const pin = 'very-secret-pin'
    const errors = [
      await rejection(start({ pin })),
      await rejection(start({ uri: `pkcs11:object=aws?module-path=${softHsm.modulePath}&pin-value=${pin}` })),
      await rejection(start({ uri: `pkcs11:token=none;object=aws?module-path=/x&pin-value=${pin}` })),
    ]
    await (await start({ tryPinWhenCountLow: true })).close() // SoftHSM's count is whole again
    for (const error of errors) {
      expect(error).toBeInstanceOf(HmacBackendError)
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/very-secret-pin|wJalrXUtn/)
    }
  })
})
