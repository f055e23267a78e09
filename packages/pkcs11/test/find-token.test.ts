import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createObject,
  destroyObject,
  findObject,
  findToken,
  listTokens,
  loadModule,
  openToken,
  type Pkcs11Module,
} from '../src/index.ts'
import { faults, KEY } from './helpers.ts'

let softHsm: TestSoftHsm
let module: Pkcs11Module
beforeAll(async () => {
  softHsm = await createSoftHsm({ keys: [{ label: 'aws', id: '0a01', value: KEY }] })
  await softHsm.addToken('other')
  softHsm.activate()
  module = loadModule({ modulePath: softHsm.modulePath, addon: faults.addon })
})
afterAll(async () => {
  module.close()
  await softHsm.remove()
})

describe('findToken', () => {
  it('lists what is initialised, and logs in nowhere', () => {
    const tokens = listTokens(module)
    expect(tokens.map((it) => it.token).sort()).toEqual(['hardbound', 'other'])
    expect(faults.calls).not.toContain('C_OpenSession')
  })

  it('finds it by each attribute that tells it from others, and by all at once', () => {
    const all = findToken(module, { token: 'hardbound' })
    const { token, serial, manufacturer, model, slotId, slotDescription, slotManufacturer } = all
    const { libraryManufacturer, libraryDescription, libraryVersion } = all
    for (const uri of [{ serial }, { slotId }, { slotDescription }])
      expect(findToken(module, uri).token).toBe('hardbound')
    const uri = { token, serial, manufacturer, model, slotId, slotDescription, slotManufacturer }
    expect(findToken(module, { ...uri, libraryManufacturer, libraryDescription, libraryVersion }).token).toBe(token)
  })

  it('says how many each attribute matched', () => {
    const problem = (uri: object) => {
      try {
        findToken(module, uri)
      } catch (error) {
        return error
      }
    }
    expect(problem({ token: 'hardbound', serial: '00' })).toMatchObject({
      code: 'ERR_PKCS11_TOKEN_ABSENT',
      message: 'no token matches (2 there, of which match: token "hardbound" 1, serial "00" 0)',
    })
    expect(problem({ manufacturer: 'SoftHSM project' })).toMatchObject({ code: 'ERR_PKCS11_TOKEN_AMBIGUOUS' })
    expect(problem({ token: 'hardbound', libraryVersion: '3' })).toMatchObject({
      message: expect.stringContaining('libraryVersion "3" 0'),
    })
  })

  it('leaves out a slot that can not be asked', () => {
    faults.fail('C_GetTokenInfo', 0x32)
    expect(listTokens(module)).toHaveLength(1)
    faults.reset()
  })
})

describe('findObject', () => {
  it('M11 wants exactly one', async () => {
    const token = await openToken({ uri: softHsm.uri(), addon: faults.addon, readWrite: true })
    await token.withSession((session) => {
      expect(findObject(session, { id: Uint8Array.of(0x0a, 1) })).toEqual(findObject(session, { object: 'aws' }))
      expect(findObject(session, { object: 'aws', type: 'secret-key' })).toBeInstanceOf(Uint8Array)
      expect(() => findObject(session, { object: 'aws', type: 'cert' })).toThrow('no cert with label "aws"')
      expect(() => findObject(session, { object: 'none' })).toThrow('no object with label "none"')
      const data = createObject(session, [
        { type: 0x0, value: 0 }, // CKO_DATA
        { type: 0x1, value: false }, // CKA_TOKEN
        { type: 0x3, value: 'aws' },
      ])
      expect(() => findObject(session, { object: 'aws' })).toThrow('2 objects are a object with label "aws"')
      destroyObject(session, data)
      findObject(session, { object: 'aws' })
      const half = () => createObject(session, [{ type: 0x0, value: 4 }]) // CKO_SECRET_KEY, and no more
      expect(half).toThrow(expect.objectContaining({ code: 'ERR_PKCS11_RV', rv: expect.any(Number) }))
    })
    await token.close()
  })
})
