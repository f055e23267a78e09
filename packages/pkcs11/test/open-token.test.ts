import { createHmac } from 'node:crypto'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import {
  findObject,
  type OpenTokenInit,
  openToken,
  type Pkcs11Error,
  type Pkcs11Session,
  type Pkcs11Token,
  sign,
} from '../src/index.ts'
import { CKM_SHA256_HMAC, faults, KEY, rejection } from './helpers.ts'

let softHsm: TestSoftHsm
const open: Pkcs11Token[] = []

beforeAll(async () => {
  softHsm = await createSoftHsm({ keys: [{ label: 'aws', value: KEY }] })
  softHsm.activate()
})
afterEach(async () => {
  faults.reset()
  await Promise.all(open.splice(0).map((it) => it.close()))
  faults.reset()
  await softHsm.restoreToken()
})
afterAll(() => softHsm.remove())

async function start(init: Partial<OpenTokenInit> = {}): Promise<Pkcs11Token> {
  const token = await openToken({ uri: softHsm.uri(), addon: faults.addon, reconnectDelayMs: 0, ...init })
  open.push(token)
  return token
}

const MESSAGE = Buffer.from('20150830')
const EXPECTED = createHmac('sha256', KEY).update(MESSAGE).digest('hex')
async function hmac(session: Pkcs11Session): Promise<string> {
  const key = findObject(session, { object: 'aws', type: 'secret-key' })
  return Buffer.from(await sign(session, { mechanism: CKM_SHA256_HMAC }, key, MESSAGE, 32)).toString('hex')
}

describe('openToken', () => {
  it('finds the token, logs in once, and signs', async () => {
    const token = await start()
    expect(token.info).toMatchObject({ token: 'hardbound', serial: softHsm.serial, manufacturer: 'SoftHSM project' })
    const tags = await Promise.all(Array.from({ length: 20 }, () => token.withSession(hmac)))
    expect(new Set(tags)).toEqual(new Set([EXPECTED]))
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
    expect(faults.calls.filter((it) => it === 'C_OpenSession').length).toBeLessThanOrEqual(2)
  })

  it('shares one C_Initialize and one login between all who open it', async () => {
    const [one, two] = [await start(), await start()]
    expect(await one.withSession(hmac)).toBe(await two.withSession(hmac))
    await one.close()
    expect(await two.withSession(hmac)).toBe(EXPECTED)
    await two.close()
    expect(faults.calls.filter((it) => it === 'C_Initialize' || it === 'C_Finalize')).toEqual([
      'C_Initialize',
      'C_Finalize',
    ])
  })

  it.each(['C_SignInit', 'C_SignAsync', 'C_FindObjectsInit'])(
    'M12 heals when the only session is lost in %s, and the login with it',
    async (name) => {
      const token = await start()
      for (const [at, rv] of [0xb0, 0xb3].entries()) {
        faults.fail(name, rv)
        expect(await token.withSession(hmac, { repeat: true })).toBe(EXPECTED)
        expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(at + 2)
      }
    },
  )

  it('M12 stays logged in when one of two sessions is lost', async () => {
    const token = await start()
    let end = (): void => {}
    const other = token.withSession(() => new Promise<void>((resolve) => (end = resolve)))
    faults.fail('C_SignInit', 0xb3)
    expect(await token.withSession(hmac, { repeat: true })).toBe(EXPECTED)
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
    end()
    await other
  })

  it.each([
    ['DEVICE_ERROR', 0x30],
    ['DEVICE_REMOVED', 0x32],
    ['TOKEN_NOT_PRESENT', 0xe0],
    ['USER_NOT_LOGGED_IN', 0x101],
  ])('M12 heals with one more login after CKR_%s', async (_, rv) => {
    const token = await start()
    faults.fail('C_SignInit', rv)
    expect(await token.withSession(hmac, { repeat: true })).toBe(EXPECTED)
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(2)
  })

  it('M12 does not log in again and again where the token keeps forgetting', async () => {
    const token = await start()
    faults.fail('C_SignInit', 0x101, 100)
    const error = await rejection<Pkcs11Error>(token.withSession(hmac, { repeat: true }))
    expect(error).toMatchObject({ code: 'ERR_PKCS11_DEVICE', rv: 0x101, message: 'C_SignInit: CKR_USER_NOT_LOGGED_IN' })
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(2)
  })

  it('M12 makes do with the sessions that it has', async () => {
    const token = await start({ maxSessions: 4, blockingLimitMs: 0 })
    faults.fail('C_OpenSession', 0xb1, 100)
    const tags = await Promise.all(Array.from({ length: 20 }, () => token.withSession(hmac)))
    expect(new Set(tags)).toEqual(new Set([EXPECTED]))
  })

  it('M12 tolerates that somebody else in this process has logged in', async () => {
    faults.fail('C_Login', 0x100)
    const token = await start()
    expect(token.info.token).toBe('hardbound')
  })

  it('does not repeat work that must not be repeated', async () => {
    const token = await start()
    faults.fail('C_SignInit', 0xb3)
    await expect(token.withSession(hmac)).rejects.toMatchObject({ code: 'ERR_PKCS11_DEVICE', rv: 0xb3 })
    expect(await token.withSession(hmac)).toBe(EXPECTED)
  })

  it('M09 gets a token back that was pulled and put in again', async () => {
    const token = await start()
    expect(await token.withSession(hmac)).toBe(EXPECTED)
    await softHsm.removeToken()
    const error = await rejection<Pkcs11Error>(token.withSession(hmac, { repeat: true }))
    expect(error.code).toBe('ERR_PKCS11_TOKEN_ABSENT')
    await softHsm.restoreToken()
    expect(await token.withSession(hmac, { repeat: true })).toBe(EXPECTED)
  })

  it('M09 restarts the module for all who share it', async () => {
    const [one, two] = [await start(), await start()]
    await softHsm.removeToken()
    await rejection(one.withSession(hmac, { repeat: true }))
    await softHsm.restoreToken()
    expect(await one.withSession(hmac, { repeat: true })).toBe(EXPECTED)
    expect(await two.withSession(hmac)).toBe(EXPECTED)
    expect(await one.withSession(hmac)).toBe(EXPECTED)
  })

  it('M09 does not look for a lost token more often than it may', async () => {
    const token = await start({ reconnectDelayMs: 60_000 })
    faults.fail('C_SignInit', 0x32)
    faults.fail('C_GetSlotList', 0x32, 2)
    const first = await rejection(token.withSession(hmac, { repeat: true }))
    const looked = faults.calls.filter((it) => it === 'C_GetSlotList').length
    expect(await rejection(token.withSession(hmac, { repeat: true }))).toBe(first)
    expect(faults.calls.filter((it) => it === 'C_GetSlotList')).toHaveLength(looked)
  })

  it('M16 tries a wrong PIN once, and never again', async () => {
    const wrong = { pin: 'not-the-pin' }
    const error = await rejection<Pkcs11Error>(openToken({ uri: softHsm.uri(), addon: faults.addon, ...wrong }))
    expect(error).toMatchObject({
      code: 'ERR_PKCS11_PIN_INCORRECT',
      message: 'C_Login to token "hardbound": CKR_PIN_INCORRECT',
    })
    // SoftHSM raises CKF_USER_PIN_COUNT_LOW now: another process that is started with the same wrong PIN stops here.
    await expect(start(wrong)).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN_COUNT_LOW' })
    await expect(start()).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN_COUNT_LOW' })
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
    expect(await (await start({ tryPinWhenCountLow: true })).withSession(hmac)).toBe(EXPECTED)
    expect(await (await start()).withSession(hmac)).toBe(EXPECTED)
  })

  it('M16 latches when the PIN is refused after a reconnect', async () => {
    const token = await start()
    faults.fail('C_SignInit', 0x32)
    faults.fail('C_Login', 0xa0)
    const first = await rejection<Pkcs11Error>(token.withSession(hmac, { repeat: true }))
    expect(first.code).toBe('ERR_PKCS11_PIN_INCORRECT')
    expect(await rejection(token.withSession(hmac))).toBe(first)
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(2)
  })

  it('M16 goes on once an operator has logged in with another tool', async () => {
    const token = await start()
    faults.fail('C_SignInit', 0x32)
    const wrong = softHsm.tool('--list-objects', '--pin', 'not-the-pin')
    await rejection(wrong)
    await expect(token.withSession(hmac, { repeat: true })).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN_COUNT_LOW' })
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
    await softHsm.tool('--list-objects')
    expect(await token.withSession(hmac, { repeat: true })).toBe(EXPECTED)
  })

  it.each([
    ['ERR_PKCS11_PIN_COUNT_LOW', 0x10000],
    ['ERR_PKCS11_PIN_FINAL_TRY', 0x20000],
    ['ERR_PKCS11_PIN_LOCKED', 0x40000],
    ['ERR_PKCS11_PIN_LOCKED', 0x70000],
  ])('M16 gives %s and no PIN to a token with flags %i', async (code, flag) => {
    faults.replace('C_GetTokenInfo', (real, slot) => {
      const info = real(slot) as { flags: number }
      return { ...info, flags: info.flags | flag }
    })
    await expect(start()).rejects.toMatchObject({ code })
    if (flag !== 0x10000) await expect(start({ tryPinWhenCountLow: true })).rejects.toMatchObject({ code })
    expect(faults.calls).not.toContain('C_Login')
  })

  it('wants a PIN where the token does, and gives none where it does not', async () => {
    const uri = `pkcs11:token=hardbound?module-path=${softHsm.modulePath}`
    await expect(start({ uri })).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN' })
    await expect(start({ uri, protectedAuthentication: true })).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN' })
    faults.replace('C_GetTokenInfo', (real, slot) => {
      const info = real(slot) as { flags: number }
      return { ...info, flags: info.flags & ~0x4 }
    })
    await start({ uri })
    expect(faults.calls).not.toContain('C_Login')
  })

  it('has a token with a keypad ask for the PIN itself', async () => {
    let given: unknown
    faults.replace('C_GetTokenInfo', (real, slot) => {
      const info = real(slot) as { flags: number }
      return { ...info, flags: info.flags | 0x100 }
    })
    faults.replace('C_Login', (real, session, user, pin) => {
      given = pin
      return real(session, user, softHsm.pin)
    })
    await start({ uri: `pkcs11:token=hardbound?module-path=${softHsm.modulePath}`, protectedAuthentication: true })
    expect(given).toBe('')
  })

  it('M27 queues for a slow token in order, and refuses beyond the bound', async () => {
    const token = await start({ maxSessions: 1, maxWaiting: 3 })
    const release: (() => void)[] = []
    const slow = () => new Promise<void>((resolve) => release.push(resolve))
    const order: number[] = []
    const calls = [0, 1, 2, 3].map((at) => token.withSession(slow).then(() => order.push(at)))
    await expect(token.withSession(slow)).rejects.toMatchObject({ code: 'ERR_PKCS11_OVERLOADED' })
    for (const [at, call] of calls.entries()) {
      release[at]?.()
      await call
    }
    expect(order).toEqual([0, 1, 2, 3])
  })

  it('M27 gives up on a call in time, and lends its session again once it is back', async () => {
    const token = await start({ maxSessions: 1 })
    let end = (): void => {}
    const stuck = token.withSession(() => new Promise<void>((resolve) => (end = resolve)), { timeoutMs: 5 })
    await expect(stuck).rejects.toMatchObject({ code: 'ERR_PKCS11_TIMEOUT' })
    await expect(token.withSession(hmac, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'ERR_PKCS11_TIMEOUT' })
    const controller = new AbortController()
    const given = token.withSession(hmac, { signal: controller.signal })
    controller.abort()
    await expect(given).rejects.toMatchObject({ code: 'ERR_PKCS11_ABORTED' })
    const waiting = token.withSession(hmac)
    end()
    expect(await waiting).toBe(EXPECTED)
  })

  it('leaves nobody waiting when the token goes away', async () => {
    const token = await start({ maxSessions: 1, reconnectDelayMs: 60_000, blockingLimitMs: 0 })
    faults.fail('C_SignAsync', 0x32)
    const calls = Promise.allSettled(Array.from({ length: 50 }, () => token.withSession(hmac)))
    faults.fail('C_GetSlotList', 0x32, 100)
    const codes = (await calls).map((it) => it.status === 'rejected' && (it.reason as Pkcs11Error).code)
    expect(codes).toEqual(Array(50).fill('ERR_PKCS11_DEVICE'))
  })

  it('waits for calls in progress before it closes, and refuses those that wait', async () => {
    const token = await start({ maxSessions: 1 })
    let end = (): void => {}
    const working = token.withSession(() => new Promise<string>((resolve) => (end = () => resolve('done'))))
    const waiting = token.withSession(hmac)
    const closing = token.close()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_PKCS11_CLOSED' })
    end()
    expect(await working).toBe('done')
    await closing
    await token.close()
    await expect(token.withSession(hmac)).rejects.toMatchObject({ code: 'ERR_PKCS11_CLOSED' })
    expect(faults.calls.at(-1)).toBe('C_Finalize')
  })

  it('begins nothing for a caller whose turn comes in the moment in which it is closed', async () => {
    const token = await start({ maxSessions: 1 })
    let end = (): void => {}
    const held = new Promise<void>((resolve) => (end = resolve))
    const working = token.withSession(() => held)
    const begun = jest.fn()
    const next = token.withSession(begun)
    const closing = held.then(() => token.close()) // after the session was passed on, before its new holder has run
    end()
    await expect(next).rejects.toMatchObject({ code: 'ERR_PKCS11_CLOSED' })
    await Promise.all([working, closing])
    expect(begun).not.toHaveBeenCalled()
    const count = (name: string) => faults.calls.filter((it) => it === name).length
    expect(count('C_CloseSession')).toBe(count('C_OpenSession'))
  })

  it('M07 gives every session back', async () => {
    const token = await start()
    faults.fail('C_SignInit', 0x6, 5)
    await Promise.allSettled(Array.from({ length: 10 }, () => token.withSession(hmac)))
    await token.close()
    const count = (name: string) => faults.calls.filter((it) => it === name).length
    expect(count('C_CloseSession')).toBe(count('C_OpenSession'))
  })

  it.each([
    { maxSessions: 0 },
    { timeoutMs: 0 },
    { maxWaiting: -1 },
    { blockingLimitMs: Number.NaN },
    { timeoutMs: 2 ** 31 },
  ])('refuses %j', async (init) => {
    await expect(start(init)).rejects.toThrow(RangeError)
  })
})
