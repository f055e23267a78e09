import { realpath } from 'node:fs/promises'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { findObject, findToken, type LoadModuleInit, loadModule, openToken } from '../src/index.ts'
import { faults } from './helpers.ts'

let softHsm: TestSoftHsm
let SOFTHSM: string
beforeAll(async () => {
  softHsm = await createSoftHsm()
  softHsm.activate()
  SOFTHSM = softHsm.modulePath
})
beforeEach(() => faults.reset())
afterAll(() => softHsm.remove())
const load = async (init: LoadModuleInit) => loadModule(init)
const refusal = { code: 'ERR_PKCS11_MODULE' }

describe('loadModule', () => {
  it('says so where a library is no PKCS #11 module', async () => {
    const modulePath = await realpath(`/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/libm.so.6`)
    await expect(load({ modulePath, addon: faults.addon })).rejects.toMatchObject(refusal)
  })
  it('says so where a module does not start', async () => {
    faults.fail('C_Initialize', 0x5)
    await expect(load({ modulePath: SOFTHSM, addon: faults.addon })).rejects.toMatchObject({ ...refusal, rv: 5 })
    const module = loadModule({ modulePath: SOFTHSM, addon: faults.addon })
    module.close()
  })
  it('leaves a module running that somebody else has started', async () => {
    faults.fail('C_Initialize', 0x191, 2)
    const module = loadModule({ modulePath: SOFTHSM, addon: faults.addon })
    expect(module.restart()).toBe(false)
    module.close()
    module.close()
    expect(faults.calls).not.toContain('C_Finalize')
  })
  it('finds modules by name, and p11-kit without one', async () => {
    const named = loadModule({ moduleName: 'softhsm2', addon: faults.addon })
    expect(named.path).toBe(await realpath(SOFTHSM))
    named.close()
    delete process.env.P11_KIT_NO_USER_CONFIG
    const proxy = loadModule({ addon: faults.addon })
    expect(process.env.P11_KIT_NO_USER_CONFIG).toBe('1') // M14: no modules that the environment names
    expect(proxy.path).toMatch(/p11-kit-proxy\.so$|libp11-kit\.so/)
    proxy.close()
    await expect(load({ moduleName: 'no-such-module' })).rejects.toMatchObject(refusal)
    await expect(load({ moduleName: '../evil' })).rejects.toThrow(TypeError)
  })
  it('M14 loads no p11-kit in a worker, which can not keep it from what the environment names', async () => {
    delete process.env.P11_KIT_NO_USER_CONFIG
    jest.spyOn(process, 'getBuiltinModule').mockReturnValueOnce({ isMainThread: false })
    await expect(load({ addon: faults.addon })).rejects.toMatchObject(refusal)
    process.env.P11_KIT_NO_USER_CONFIG = '1'
    loadModule({ addon: faults.addon }).close()
  })
  it('M09 opens a token by way of p11-kit, and gets it back from there', async () => {
    const uri = `pkcs11:token=hardbound?pin-source=${softHsm.pinFile}`
    const token = await openToken({ uri, addon: faults.addon, reconnectDelayMs: 0 })
    expect(token.info.serial).toBe(softHsm.serial)
    await softHsm.removeToken()
    const look = () => token.withSession((session) => findObject(session, { object: 'none' }), { repeat: true })
    await expect(look()).rejects.toMatchObject({ code: 'ERR_PKCS11_TOKEN_ABSENT' })
    await softHsm.restoreToken()
    await expect(look()).rejects.toMatchObject({ code: 'ERR_PKCS11_OBJECT' })
    await token.close()
  })

  it('restarts for everybody, unless a call is in progress', async () => {
    const [one, two] = [
      loadModule({ modulePath: SOFTHSM, addon: faults.addon }),
      loadModule({ modulePath: SOFTHSM, addon: faults.addon }),
    ]
    const end = one.startCall()
    expect(two.restart()).toBe(false)
    end()
    end()
    expect(two.restart()).toBe(true)
    expect([one.epoch, two.epoch]).toEqual([1, 1])
    one.close()
    expect(findToken(two, { token: 'hardbound' }).serial).toBe(softHsm.serial)
    two.close()
  })

  it('stops a module in the end that it could not stop in between', () => {
    const module = loadModule({ modulePath: SOFTHSM, addon: faults.addon })
    faults.fail('C_Finalize', 0x5)
    expect(module.restart()).toBe(true)
    module.close()
    expect(faults.calls.filter((it) => it === 'C_Finalize')).toHaveLength(2)
  })

  it('starts a module that somebody else has stopped', async () => {
    const module = loadModule({ modulePath: SOFTHSM, addon: faults.addon })
    module.cryptoki.C_Finalize()
    expect(module.restart()).toBe(true)
    expect(findToken(module, { token: 'hardbound' }).serial).toBe(softHsm.serial)
    module.close()
    expect(faults.calls.at(-1)).toBe('C_Finalize')
  })

  it('leaves a module running under a call that hangs', async () => {
    const module = loadModule({ modulePath: SOFTHSM, addon: faults.addon })
    const end = module.startCall()
    module.close()
    expect(faults.calls).not.toContain('C_Finalize')
    end()
    module.cryptoki.C_Finalize()
  })
})
