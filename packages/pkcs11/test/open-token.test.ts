import { createHmac } from 'node:crypto'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
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

  it("M12 closes nobody else's session after a restart, by a number from before", async () => {
    const [one, two] = [await start(), await start()]
    await softHsm.removeToken()
    await rejection(two.withSession(hmac, { repeat: true }))
    await softHsm.restoreToken()
    expect(await two.withSession(hmac, { repeat: true })).toBe(EXPECTED)
    faults.calls.length = 0
    expect(await one.withSession(hmac)).toBe(EXPECTED) // it gives up its old session, whose number is that of a new one of two
    expect(faults.calls).not.toContain('C_CloseSession')
    expect(await two.withSession(hmac)).toBe(EXPECTED)
  })

  it('M12 closes no session by a number from before that its work brings back late', async () => {
    const token = await start()
    const tag = (
      session: Pkcs11Session, // not async, as what is begun keeps a module from being started again
    ) => sign(session, { mechanism: CKM_SHA256_HMAC }, findObject(session, { object: 'aws' }), MESSAGE, 32)
    let inner: Promise<Uint8Array> | undefined
    const before = await token.withSession(() => {
      faults.fail('C_SignInit', 0x32)
      faults.fail('C_GetSlotList', 0x32) // so that it is
      inner = token.withSession(tag, { repeat: true })
      return faults.calls.length
    })
    expect(faults.calls).toContain('C_Finalize')
    expect(faults.calls.slice(before)).not.toContain('C_CloseSession')
    expect(Buffer.from((await inner) ?? []).toString('hex')).toBe(EXPECTED)
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
    await start({ tryPinWhenCountLow: true }) // it is the right one
  })

  it.each([
    ['FUNCTION_FAILED', 0x6],
    ['GENERAL_ERROR', 0x5],
    ['DEVICE_ERROR', 0x30],
    ['ACTION_PROHIBITED', 0x1b],
    ['FUNCTION_REJECTED', 0x200],
    ['VENDOR_DEFINED', 0x80000001],
  ])('M16 does not try a PIN again after CKR_%s, which may mean anything', async (_, rv) => {
    const token = await start()
    faults.fail('C_SignInit', 0x32)
    faults.fail('C_Login', rv, 100)
    for (let at = 0; at < 5; at++) await rejection(token.withSession(hmac, { repeat: true }))
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(2)
    faults.fail('C_Login', 0, 0)
    await start({ tryPinWhenCountLow: true })
  })

  it.each([
    ['DEVICE_REMOVED', 0x32],
    ['TOKEN_NOT_PRESENT', 0xe0],
    ['SESSION_HANDLE_INVALID', 0xb3],
  ])('M16 tries the PIN again after CKR_%s, with which it did not reach the token', async (_, rv) => {
    const token = await start()
    faults.fail('C_SignInit', 0x32)
    faults.fail('C_Login', rv)
    await rejection(token.withSession(hmac))
    await rejection(token.withSession(hmac))
    expect(await token.withSession(hmac)).toBe(EXPECTED)
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(3)
  })

  it('M16 tries a wrong PIN once, however often the token is opened and whatever it says of its count', async () => {
    faults.replace('C_GetTokenInfo', (real, slot) => {
      const info = real(slot) as { flags: number }
      return { ...info, flags: info.flags & ~0x10000 }
    })
    const opened = await Promise.allSettled(Array.from({ length: 5 }, () => start({ pin: 'another-wrong-pin' })))
    expect(opened.map((it) => it.status === 'rejected' && (it.reason as Pkcs11Error).code)).toEqual([
      'ERR_PKCS11_PIN_INCORRECT',
      ...Array(4).fill('ERR_PKCS11_PIN_COUNT_LOW'),
    ])
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
    expect(await (await start()).withSession(hmac)).toBe(EXPECTED) // with the right one
  })

  it('M16 gives a stranger with the same label no PIN', async () => {
    const twin = await createSoftHsm({ pin: '9999' })
    const token = await start()
    await softHsm.removeToken()
    await rename(join(twin.folder, 'tokens'), join(softHsm.folder, 'tokens', '..', 'twin'))
    for (const name of await readdir(join(softHsm.folder, 'twin'))) {
      await rename(join(softHsm.folder, 'twin', name), join(softHsm.folder, 'tokens', name))
    }
    for (let at = 0; at < 3; at++) {
      await expect(token.withSession(hmac, { repeat: true })).rejects.toMatchObject({ code: 'ERR_PKCS11_TOKEN_ABSENT' })
    }
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
    for (const name of await readdir(join(softHsm.folder, 'tokens'))) {
      await rm(join(softHsm.folder, 'tokens', name), { recursive: true })
    }
    await softHsm.restoreToken()
    expect(await token.withSession(hmac, { repeat: true })).toBe(EXPECTED)
    await twin.remove()
  })

  it('M16 looks who is in the slot before it opens one more session there, and before it logs in', async () => {
    const token = await start()
    let end = (): void => {}
    const other = token.withSession(() => new Promise<void>((resolve) => (end = resolve)))
    faults.replace('C_GetTokenInfo', (real, slot) => ({ ...(real(slot) as object), serialNumber: 'a stranger' }))
    await expect(token.withSession(hmac)).rejects.toMatchObject({ code: 'ERR_PKCS11_TOKEN_ABSENT' })
    end()
    await other
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
  })

  it('M15 notices with the next session that the token was out, and trusts no handle from before', async () => {
    const token = await start()
    const before = await token.withSession(({ generation }) => generation)
    let end = (): void => {}
    const other = token.withSession(() => new Promise<void>((resolve) => (end = resolve)))
    faults.replace('C_GetSessionInfo', () => ({ state: 0 })) // CKS_RO_PUBLIC_SESSION
    await expect(token.withSession(hmac)).rejects.toMatchObject({ code: 'ERR_PKCS11_DEVICE', rv: 0x101 })
    faults.reset()
    expect(await token.withSession(({ generation }) => generation)).toBeGreaterThan(before)
    end()
    await other
  })

  it.each([0xb0, 0xb3])('M15 trusts no handle from before once one of two sessions is lost (%i)', async (rv) => {
    const token = await start()
    const generation = () => token.withSession((session) => session.generation)
    const before = await generation()
    let end = (): void => {}
    const other = token.withSession(() => new Promise<void>((resolve) => (end = resolve)))
    expect(await generation()).toBe(before)
    faults.fail('C_SignInit', rv)
    await rejection(token.withSession(hmac))
    expect(await generation()).toBeGreaterThan(before)
    end()
    await other
    expect(await token.withSession(hmac)).toBe(EXPECTED)
    expect(faults.calls.filter((it) => it === 'C_Login')).toHaveLength(1)
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

  it('M27 loses no session and no caller where one aborts in the moment in which it is served', async () => {
    for (let ticks = 0; ticks < 8; ticks++) {
      const token = await start({ maxSessions: 1, timeoutMs: 300 })
      const controller = new AbortController()
      let end = (): void => {}
      const held = token.withSession(() => new Promise<void>((resolve) => (end = resolve)))
      const aborted = token.withSession(async () => 'served', { signal: controller.signal }).catch(() => 'aborted')
      const next = token.withSession(async () => 'next')
      end()
      for (let at = 0; at < ticks; at++) await undefined
      controller.abort()
      expect(['served', 'aborted']).toContain(await aborted)
      expect(await next).toBe('next')
      expect(await token.withSession(async () => 'after')).toBe('after')
      await held
    }
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
