import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { importTpmHmacKey, openTpmHmac, readTpmKeyName, type SaltKey } from '../src/index.ts'
import { CC, type Lab, PASSWORD, SECRET, startLab } from './lab.ts'

const DAY = Buffer.from('20150830')
const PARENT_PASSWORD = Buffer.from('endorsement pass')
const CANARIES = {
  secret: SECRET,
  'secret without its prefix': SECRET.subarray(4),
  password: PASSWORD,
  "parent's password": PARENT_PASSWORD,
  'derived date key': createHmac('sha256', SECRET).update(DAY).digest(),
}

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
  await lab.tool('tpm2_createek', '-c', '0x81010050', '-G', 'ecc', '-u', 'ek.pub') // so that nothing has to be made with a password
  await lab.tool('tpm2_changeauth', '-c', 'endorsement', `${PARENT_PASSWORD}`)
})
afterAll(() => lab.close())

/** Which canaries crossed, as they are or in hexadecimal. */
async function crossed(encryption: { name: string; key: SaltKey } | undefined): Promise<string[]> {
  lab.proxy.exchanges.length = 0
  const common = {
    tpm: lab.proxy.address,
    keyAuth: PASSWORD,
    parentAuth: PARENT_PASSWORD,
    useEkParent: 'ecc',
    ...(encryption && { sessionEncryption: encryption }),
  } as const
  const { pem = '', knownAnswer } = await importTpmHmacKey({ ...common, secret: SECRET })
  const backend = await openTpmHmac({ ...common, key: { pem }, knownAnswer })
  expect(Buffer.from(await backend.hmacSha256(DAY))).toEqual(CANARIES['derived date key'])
  await backend.hmacSha256(Buffer.concat([DAY, Buffer.alloc(3000)])) // in pieces
  await backend.close()
  const bus = Buffer.concat(lab.proxy.transcript)
  return Object.entries(CANARIES)
    .filter(([, canary]) => bus.includes(canary) || bus.includes(canary.toString('hex')))
    .map(([name]) => name)
}

/** TPM2_StartAuthSession: after the handles, nonceCaller and encryptedSalt. */
function sessionKindAt(command: Uint8Array): number {
  const octets = Buffer.from(command)
  const salt = 20 + octets.readUInt16BE(18)
  return salt + 2 + octets.readUInt16BE(salt)
}

describe('what can be read on the bus, from enrolment to signing', () => {
  it('M17 is nothing, with session encryption', async () => {
    const key = 0x81010050
    const name = await readTpmKeyName({ tpm: lab.proxy.address, key })
    expect(await crossed({ name, key })).toEqual([])
    // Of no session can its key be known: each is salted, policy sessions included, whose HMACs may be made with the password.
    const sessions = lab.proxy.exchanges.filter(({ commandCode }) => commandCode === CC.startAuthSession)
    const saltKeys = sessions.map(({ command }) => Buffer.from(command).readUInt32BE(10))
    const kinds = sessions.map(({ command }) => command[sessionKindAt(command)])
    expect(new Set(saltKeys)).toEqual(new Set([key]))
    expect(new Set(kinds)).toEqual(new Set([0, 1])) // TPM_SE_HMAC, TPM_SE_POLICY
  })
  it('M17 is everything, without', async () => {
    expect(await crossed(undefined)).toEqual(Object.keys(CANARIES))
  })
})
