import { inspect } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { openToken, Pkcs11Error } from '../src/index.ts'
import { faults, rejection } from './helpers.ts'
import { answerAttributes, count, ES256, isGood, MESSAGE, PS256, RS256, softHsm, start } from './signing-token.ts'

describe('the PIN', () => {
  it('M16 is tried once where it is wrong', async () => {
    await expect(start('p256', { pin: '9999' })).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN_INCORRECT' })
    await expect(start('p256', { pin: '9999' })).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN_COUNT_LOW' })
    expect(count('C_Login')).toBe(1)
    await start('p256', { tryPinWhenCountLow: true }) // the right one: SoftHSM's count is whole again
  })

  it.each([
    ['rsa-pin', PS256],
    ['rsa-pin', RS256],
    ['p256-pin', ES256],
  ])('is given for each signature of %s, which wants that: %p', async (label, scheme) => {
    const key = await start(label, { blockingLimitMs: 0 })
    expect(count('C_Login')).toBe(1)
    const kinds: unknown[] = []
    faults.replace('C_Login', (real, session, kind, pin) => {
      kinds.push(kind)
      return real(session, kind, pin)
    })
    const signatures = await Promise.all(Array.from({ length: 10 }, () => key.sign(MESSAGE, scheme)))
    expect(signatures.every((it) => isGood(key, scheme, it))).toBe(true)
    expect(kinds).toEqual(Array.from({ length: 10 }, () => 2))
  })

  it('is not given for each signature of a key that does not want it', async () => {
    const key = await start('p256')
    await key.sign(MESSAGE, ES256)
    expect(count('C_Login')).toBe(1)
  })

  it('is needed there: SoftHSM signs with no such key without it', async () => {
    answerAttributes(new Map([[0x202, Buffer.of(0)]]))
    const key = await start('p256-pin')
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_DEVICE', rv: 0x101 })
  })

  it('M16 is tried once for a signature, and then no more in this process', async () => {
    const key = await start('p256-pin', { blockingLimitMs: 0 })
    faults.replace('C_Login', (real, session, kind) => real(session, kind, '9999'))
    const first = await rejection<Pkcs11Error>(key.sign(MESSAGE, ES256))
    expect(first.code).toBe('ERR_PKCS11_PIN_INCORRECT')
    expect(await rejection(key.sign(MESSAGE, ES256))).toBe(first)
    expect(count('C_Login')).toBe(2) // the first one opened the token
    faults.reset()
    await key.close()
    await expect(start('p256')).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN_COUNT_LOW' })
    expect(count('C_Login')).toBe(0)
    await start('p256', { tryPinWhenCountLow: true })
  })

  it('M16 is tried once for a signature whatever the token answers', async () => {
    const key = await start('p256-pin', { blockingLimitMs: 0 })
    faults.fail('C_Login', 0x30, 10)
    const first = await rejection<Pkcs11Error>(key.sign(MESSAGE, ES256))
    expect(count('C_Login')).toBe(2)
    await rejection<Pkcs11Error>(key.sign(MESSAGE, ES256))
    expect(count('C_Login')).toBe(2)
    expect(first).toBeInstanceOf(Pkcs11Error)
    faults.reset()
    await start('p256', { tryPinWhenCountLow: true })
  })

  it.each([0x10000, 0x20000, 0x40000])('M16 is not tried for a signature where flags say %i', async (flag) => {
    const key = await start('p256-pin', { blockingLimitMs: 0 })
    faults.replace('C_GetTokenInfo', (real, slot) => {
      const info = real(slot) as { flags: number }
      return { ...info, flags: (info.flags & ~0x4) | flag } // also where it says that it wants no login
    })
    const { code } = await rejection<Pkcs11Error>(key.sign(MESSAGE, ES256))
    expect(code).toMatch(/^ERR_PKCS11_PIN_(COUNT_LOW|FINAL_TRY|LOCKED)$/)
    expect(count('C_Login')).toBe(1)
    faults.reset()
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true) // it is well again
  })

  it('M15 is not given to another token in the slot', async () => {
    const key = await start('p256-pin')
    faults.replace('C_GetTokenInfo', (real, slot) => ({ ...(real(slot) as object), serialNumber: '0000000000000000' }))
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_TOKEN_ABSENT' })
    expect(count('C_Login')).toBe(1)
    expect(count('C_SignInit')).toBe(0)
  })

  it('M16 may be given again where the token asked for none', async () => {
    const key = await start('p256-pin')
    faults.fail('C_Login', 0x91)
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_RV', rv: 0x91 })
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
  })

  it('M12 is given again where the token was lost before it got there', async () => {
    const key = await start('p256-pin', { blockingLimitMs: 0 })
    faults.fail('C_Login', 0x32)
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
  })

  it('is not given any more once the token was closed, whoever still has a session', async () => {
    const token = await openToken({ uri: softHsm.uri(), addon: faults.addon, timeoutMs: 20 })
    let go = (): void => {}
    const gate = new Promise<void>((done) => (go = done))
    let late: Promise<void> | undefined
    const work = token.withSession((session) => {
      late = gate.then(() => session.loginFor(() => {}))
      return late
    })
    await expect(work).rejects.toMatchObject({ code: 'ERR_PKCS11_TIMEOUT' })
    const module = await token.withSession(({ cryptoki }) => cryptoki)
    await token.close()
    faults.reset()
    go()
    await expect(late).rejects.toMatchObject({ code: 'ERR_PKCS11_CLOSED' })
    expect(faults.calls).not.toContain('C_Login')
    module.C_Finalize() // which was not done under a call
  })

  it('M13 is in no error, however deep', async () => {
    const pin = 'very-secret-pin'
    const errors = [
      await rejection(start('p256', { pin })),
      await rejection(start('p256', { uri: `pkcs11:object=p256?module-path=${softHsm.modulePath}&pin-value=${pin}` })),
    ]
    await start('p256', { tryPinWhenCountLow: true })
    for (const error of errors) {
      expect(error).toBeInstanceOf(Pkcs11Error)
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(pin)
    }
  })
})

describe('a key whose module answers anything', () => {
  const ANSWERS = [
    0x3, 0x5, 0x6, 0x12, 0x30, 0x32, 0x60, 0x82, 0x90, 0xb0, 0xb1, 0xb3, 0xe0, 0x100, 0x101, 0x190, 0x80000001,
  ]
  /** After any other the PIN is not tried again. */
  const LOGIN_ANSWERS = [0x3, 0x32, 0x91, 0xb0, 0xb3, 0xe0, 0x100, 0x190]
  const FUNCTIONS = ['C_OpenSession', 'C_GetSessionInfo', 'C_GetSlotList', 'C_GetTokenInfo', 'C_GetMechanismList']
  const KEY_FUNCTIONS = [
    'C_FindObjectsInit',
    'C_FindObjects',
    'C_GetAttributeValue',
    'C_SignInit',
    'C_Sign',
    'C_SignAsync',
  ]

  it.each(['p256', 'p256-pin', 'imported'])(
    'M12 %s gives a good signature or a typed error, and is well again',
    async (label) => {
      const times = fc.integer({ min: 1, max: 4 })
      const anything = fc.record({
        name: fc.constantFrom(...FUNCTIONS, ...KEY_FUNCTIONS),
        rv: fc.constantFrom(...ANSWERS),
        times,
      })
      const login = fc.record({ name: fc.constant('C_Login'), rv: fc.constantFrom(...LOGIN_ANSWERS), times })
      const round = fc.array(fc.oneof({ weight: 10, arbitrary: anything }, login), { maxLength: 4 })
      await fc.assert(
        fc.asyncProperty(
          fc.array(round, { minLength: 1, maxLength: 4 }),
          fc.constantFrom(0, 10_000),
          async (rounds, limit) => {
            faults.reset()
            const key = await start(label, { blockingLimitMs: limit })
            for (const some of rounds) {
              for (const { name, rv, times } of some) faults.fail(name, rv, times)
              for (const it of await Promise.allSettled(Array.from({ length: 4 }, () => key.sign(MESSAGE, ES256)))) {
                if (it.status === 'fulfilled') expect(isGood(key, ES256, it.value)).toBe(true)
                else expect(it.reason).toBeInstanceOf(Pkcs11Error)
              }
            }
            for (const name of [...FUNCTIONS, ...KEY_FUNCTIONS, 'C_Login']) faults.fail(name, 0, 0)
            expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
            await key.close()
          },
        ),
        { numRuns: 40 },
      )
    },
  )
})
