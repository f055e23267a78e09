import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { importTpmHmacKey, openTpmHmac } from '../src/index.ts'
import { type Lab, PASSWORD, SECRET, startLab } from './lab.ts'

const PARENT_PASSWORD = Buffer.from('owner pass')

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
  await lab.tool('tpm2_changeauth', '-c', 'owner', `${PARENT_PASSWORD}`)
})
afterAll(() => lab.close())

/** Copies of the passwords that `Uint8Array.from` made during a work. */
async function copiesDuring(work: (copies: readonly Uint8Array[]) => Promise<unknown>): Promise<readonly Uint8Array[]> {
  const copies: Uint8Array[] = []
  const original = Uint8Array.from
  const spied = (...args: Parameters<typeof original>) => {
    const made = original.apply(Uint8Array, args)
    if ([PASSWORD, PARENT_PASSWORD].some((it) => it.equals(made))) copies.push(made)
    return made
  }
  Object.assign(Uint8Array, { from: spied })
  try {
    await work(copies)
  } finally {
    Object.assign(Uint8Array, { from: original })
  }
  return copies
}
const areWiped = (copies: readonly Uint8Array[]) => copies.map((it) => it.every((octet) => octet === 0))

describe('M17 passwords', () => {
  const common = () => ({ tpm: lab.proxy.address, keyAuth: PASSWORD, parentAuth: PARENT_PASSWORD })

  it('are wiped on close, and not before', async () => {
    let pem = ''
    const imported = await copiesDuring(async () => {
      pem = (await importTpmHmacKey({ ...common(), secret: SECRET })).pem ?? ''
    })
    expect(areWiped(imported)).toEqual([true, true, true, true]) // of the import, and of the use that tries it
    const copies = await copiesDuring(async (made) => {
      const backend = await openTpmHmac({ ...common(), key: { pem } })
      await backend.hmacSha256(SECRET)
      expect(areWiped(made)).toEqual([false, false])
      await backend.close()
    })
    expect(areWiped(copies)).toEqual([true, true])
  })
  it('are wiped when it does not open', async () => {
    for (const init of [{ tpm: 'unix:/nonexistent' }, { knownAnswer: '00'.repeat(16) }]) {
      const copies = await copiesDuring(async () => {
        await openTpmHmac({ ...common(), key: { handle: 0x81010001 }, ...init }).catch(() => undefined)
      })
      expect(areWiped(copies)).toEqual([true, true])
    }
    expect(PASSWORD.toString()).toBe('correct horse') // the caller's own is his
  })
})
