import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { evictControl, hmac } from '../src/commands.ts'
import { type KeyPurpose, openTpmKey, unfit, withKey } from '../src/keys.ts'
import { type Bench, loadHmacKey, startBench } from './helpers.ts'

const HANDLE = 0x81010001

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
  await bench.tpm.exclusively(async (tpm) => {
    const { key } = await loadHmacKey(tpm)
    await evictControl(tpm, { object: key, persistentHandle: HANDLE })
  })
})
afterAll(() => bench.stop())

const purpose = (more: Partial<KeyPurpose> = {}): KeyPurpose => ({
  accept: () => undefined,
  recognize: () => Promise.resolve(),
  ...more,
})
const open = (more?: Partial<KeyPurpose>) =>
  openTpmKey({ tpm: bench.proxy.address, key: { handle: HANDLE } }, purpose(more))
const isCode = (code: string) => expect.objectContaining({ name: 'Tpm2Error', code })

describe('openTpmKey', () => {
  it('asks what the key is before a password could be shown, and who it is at each new connection', async () => {
    const recognize = jest.fn(() => Promise.resolve())
    const key = await open({ recognize })
    const once = () => key.use((tpm, use) => withKey(tpm, use, (it) => hmac(tpm, { ...it, message: Buffer.from('1') })))
    await once()
    await once()
    expect(recognize).toHaveBeenCalledTimes(1)
    bench.proxy.fault = () => ({ drop: 'before' })
    await expect(once()).rejects.toEqual(isCode('ERR_TPM_UNREACHABLE'))
    bench.proxy.fault = () => undefined
    await once()
    expect(recognize).toHaveBeenCalledTimes(2)
    await key.close()

    const accept = () => {
      throw unfit('of no use')
    }
    await expect(open({ accept, recognize })).rejects.toEqual(isCode('ERR_TPM_KEY'))
    expect(recognize).toHaveBeenCalledTimes(2)
  })
  it('ends with an error that the purpose calls final, and says so once', async () => {
    const onFinal = jest.fn()
    const enough = new Error('enough')
    const isFinal = (error: unknown) => error === enough
    await expect(open({ recognize: () => Promise.reject(enough), isFinal, onFinal })).rejects.toBe(enough)
    expect(onFinal).not.toHaveBeenCalled() // nobody had it yet

    const key = await open({ isFinal, onFinal })
    await expect(key.use(() => Promise.reject(new Error('not yet')))).rejects.toThrow('not yet')
    const tries = Array.from({ length: 5 }, () => key.use(() => Promise.reject(enough)))
    for (const it of await Promise.allSettled(tries)) expect(it).toMatchObject({ reason: enough })
    expect(onFinal).toHaveBeenCalledTimes(1)
    const work = jest.fn(() => Promise.resolve())
    await expect(key.use(work)).rejects.toBe(enough)
    expect(work).not.toHaveBeenCalled()
    await key.close()
  })
})
