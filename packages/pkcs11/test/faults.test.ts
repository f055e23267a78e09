import { createHmac } from 'node:crypto'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { findObject, openToken, Pkcs11Error, type Pkcs11Session, sign } from '../src/index.ts'
import { CKM_SHA256_HMAC, faults, KEY } from './helpers.ts'

const MESSAGE = Buffer.from('20150830')
const EXPECTED = createHmac('sha256', KEY).update(MESSAGE).digest('hex')

let softHsm: TestSoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm({ keys: [{ label: 'aws', value: KEY }] })
  softHsm.activate()
})
afterAll(() => softHsm.remove())

async function hmac(session: Pkcs11Session): Promise<string> {
  const key = findObject(session, { object: 'aws', type: 'secret-key' })
  return Buffer.from(await sign(session, { mechanism: CKM_SHA256_HMAC }, key, MESSAGE, 32)).toString('hex')
}

const FUNCTIONS = [
  'C_OpenSession',
  'C_CloseSession',
  'C_GetSessionInfo',
  'C_GetSlotList',
  'C_GetSlotInfo',
  'C_GetTokenInfo',
  'C_GetInfo',
  'C_Initialize',
  'C_Finalize',
  'C_FindObjectsInit',
  'C_FindObjects',
  'C_FindObjectsFinal',
  'C_SignInit',
  'C_Sign',
  'C_SignAsync',
]
const ANSWERS = [
  0x3, 0x5, 0x6, 0x30, 0x32, 0x60, 0x82, 0x90, 0xb0, 0xb1, 0xb3, 0xe0, 0x100, 0x101, 0x190, 0x191, 0x80000001,
]
/** After any other the PIN is not tried again. */
const LOGIN_ANSWERS = [0x3, 0x32, 0xb0, 0xb3, 0xe0, 0x100, 0x190]

describe('a token whose module answers anything', () => {
  it('M12 gives the right tag or a typed error, and is well again afterwards', async () => {
    const times = fc.integer({ min: 1, max: 4 })
    const fault = fc.oneof(
      {
        weight: 15,
        arbitrary: fc.record({ name: fc.constantFrom(...FUNCTIONS), rv: fc.constantFrom(...ANSWERS), times }),
      },
      fc.record({ name: fc.constant('C_Login'), rv: fc.constantFrom(...LOGIN_ANSWERS), times }),
    )
    const rounds = fc.array(fc.array(fault, { maxLength: 4 }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(rounds, fc.constantFrom(0, 10_000), async (round, blockingLimitMs) => {
        faults.reset()
        const token = await openToken({ uri: softHsm.uri(), addon: faults.addon, reconnectDelayMs: 0, blockingLimitMs })
        try {
          for (const some of round) {
            for (const { name, rv, times } of some) faults.fail(name, rv, times)
            const calls = Array.from({ length: 5 }, () => token.withSession(hmac, { repeat: true }))
            for (const result of await Promise.allSettled(calls)) {
              if (result.status === 'fulfilled') expect(result.value).toBe(EXPECTED)
              else expect(result.reason).toBeInstanceOf(Pkcs11Error)
            }
          }
          for (const name of [...FUNCTIONS, 'C_Login']) faults.fail(name, 0, 0)
          expect(await token.withSession(hmac, { repeat: true })).toBe(EXPECTED)
        } finally {
          await token.close()
        }
      }),
      { numRuns: 200 },
    )
  })
})
