import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createSlowModule, createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { findObject, openToken, type Pkcs11Token, sign } from '../src/index.ts'
import { createPace } from '../src/internal/pace.ts'
import { CKM_SHA256_HMAC, faults, KEY } from './helpers.ts'

describe('createPace', () => {
  it('waits in place after three fast answers in a row, and no longer after three slow ones', () => {
    const pace = createPace(1)
    const seen = [0.1, 0.1, 5, 0.1, 0.1, 0.1, 5, 5, 0.1, 5, 5, 5].map((ms) => {
      pace.took(ms)
      return pace.inPlace
    })
    expect(seen).toEqual([false, false, false, false, false, true, true, true, true, true, true, false])
  })

  it('never waits in place with a limit of 0', () => {
    const pace = createPace(0)
    for (let at = 0; at < 10; at++) pace.took(0)
    expect(pace.inPlace).toBe(false)
  })
})

describe('sign', () => {
  let softHsm: TestSoftHsm
  let token: Pkcs11Token
  beforeAll(async () => {
    softHsm = await createSoftHsm({ keys: [{ label: 'aws', value: KEY }] })
    softHsm.activate()
  })
  afterEach(async () => {
    faults.reset()
    await token.close()
  })
  afterAll(() => softHsm.remove())

  const once = () =>
    token.withSession((session) => {
      const key = findObject(session, { object: 'aws' })
      return sign(session, { mechanism: CKM_SHA256_HMAC }, key, Buffer.from('20150830'), 32)
    })

  it('leaves the event loop alone while a token takes its time', async () => {
    token = await openToken({ uri: softHsm.uri(), addon: faults.addon, blockingLimitMs: 0 })
    await once()
    expect(faults.calls).toContain('C_SignAsync')
    expect(faults.calls).not.toContain('C_Sign')
  })

  it('waits in place for a token that is fast', async () => {
    token = await openToken({ uri: softHsm.uri(), addon: faults.addon, blockingLimitMs: 10_000 })
    for (let at = 0; at < 5; at++) await once()
    expect(faults.calls.filter((it) => it.startsWith('C_Sign') && it !== 'C_SignInit')).toEqual([
      'C_SignAsync',
      'C_SignAsync',
      'C_SignAsync',
      'C_Sign',
      'C_Sign',
    ])
  })

  it.each(['C_Sign', 'C_SignAsync'])('closes a session in which %s failed', async (name) => {
    token = await openToken({
      uri: softHsm.uri(),
      addon: faults.addon,
      blockingLimitMs: name === 'C_Sign' ? 10_000 : 0,
    })
    for (let at = 0; at < 3; at++) await once()
    faults.fail(name, 0x150)
    await expect(once()).rejects.toMatchObject({ code: 'ERR_PKCS11_RV', message: 'C_Sign: CKR_BUFFER_TOO_SMALL' })
    expect(await once()).toHaveLength(32)
  })

  it('M27 leaves the event loop alone while a module takes 300 ms to sign, and serves all in turn', async () => {
    const slow = await createSlowModule({ modulePath: softHsm.modulePath, signMs: 300 })
    const uri = softHsm.uri().replace(softHsm.modulePath, slow.modulePath)
    token = await openToken({ uri, allowedModules: [slow.folder] })
    const delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
    const tags = await Promise.all(Array.from({ length: 5 }, once))
    delay.disable()
    expect(new Set(tags.map((it) => Buffer.from(it).toString('hex'))).size).toBe(1)
    expect(delay.percentile(99) / 1e6).toBeLessThan(100)
    await slow.remove()
  })

  it('M27 does not wait for a module that hangs, not even to close', async () => {
    const slow = await createSlowModule({ modulePath: softHsm.modulePath, signMs: 500 })
    const uri = softHsm.uri().replace(softHsm.modulePath, slow.modulePath)
    token = await openToken({ uri, allowedModules: [slow.folder], timeoutMs: 50, maxSessions: 1, addon: faults.addon })
    const cryptoki = await token.withSession((session) => session.cryptoki)
    let call: unknown
    faults.replace('C_SignAsync', (real, ...args) => {
      call = real(...args)
      return call
    })
    await expect(once()).rejects.toMatchObject({ code: 'ERR_PKCS11_TIMEOUT' })
    await expect(once()).rejects.toMatchObject({ code: 'ERR_PKCS11_TIMEOUT' })
    await token.close()
    expect(faults.calls).not.toContain('C_Finalize') // under a call that may crash the process
    await call
    cryptoki.C_Finalize()
    await slow.remove()
  })
})
