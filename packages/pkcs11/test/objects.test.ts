import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { attribute, booleanAttribute, findObject, numberAttribute, openToken } from '../src/index.ts'
import { faults, KEY } from './helpers.ts'

let softHsm: TestSoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm({ keys: [{ label: 'aws', id: '0a01', value: KEY }] })
  softHsm.activate()
})
afterAll(() => softHsm.remove())

it('reads attributes by what they are, and nothing where they are missing, secret or of another form', async () => {
  const token = await openToken({ uri: softHsm.uri(), addon: faults.addon })
  await token.withSession((session) => {
    const key = findObject(session, { object: 'aws' })
    expect(attribute(session, key, 0x102)?.toString('hex')).toBe('0a01') // CKA_ID
    expect(numberAttribute(session, key, 0x100)).toBe(0x10) // CKA_KEY_TYPE, CKK_GENERIC_SECRET
    expect(booleanAttribute(session, key, 0x103)).toBe(true) // CKA_SENSITIVE
    expect(booleanAttribute(session, key, 0x162)).toBe(false) // CKA_EXTRACTABLE
    expect(attribute(session, key, 0x11)).toBeUndefined() // CKA_VALUE
    expect(attribute(session, key, 0x120)).toBeUndefined() // CKA_MODULUS
    expect(booleanAttribute(session, key, 0x3)).toBeUndefined() // CKA_LABEL, three octets
    expect(numberAttribute(session, key, 0x3)).toBeUndefined()
    faults.fail('C_GetAttributeValue', 0x30)
    expect(() => attribute(session, key, 0x102)).toThrow(
      expect.objectContaining({ code: 'ERR_PKCS11_DEVICE', rv: 0x30 }),
    )
  })
  await token.close()
})
