import { describe, expect, it } from '@jest/globals'
import { createCallQueue } from '../src/internal/call-queue.ts'

const queueOf = (o: Partial<Parameters<typeof createCallQueue>[0]> = {}) =>
  createCallQueue({ name: 'test', concurrency: 1, maxWaiting: 2, timeoutMs: 5000, ...o })
const gate = () => {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { open, passed }
}

describe('createCallQueue', () => {
  it('M27 first come, first served, within its bounds', async () => {
    const queue = queueOf()
    const { open, passed } = gate()
    const order: number[] = []
    const calls = [1, 2, 3, 4].map((it) => queue.run(() => passed.then(() => order.push(it))))
    await expect(calls[3]).rejects.toMatchObject({ code: 'ERR_HMAC_OVERLOADED' })
    open()
    await Promise.all(calls.slice(0, 3))
    expect(order).toEqual([1, 2, 3])
  })

  it('has room again as soon as a call has ended', async () => {
    const queue = queueOf({ maxWaiting: 0 })
    for (let call = 0; call < 3; call++) expect(await queue.run(() => Promise.resolve(call))).toBe(call)
    await expect(queue.run(() => Promise.reject(new TypeError('secret')))).rejects.toMatchObject({
      code: 'ERR_HMAC_RESPONSE',
      message: 'test: unexpected TypeError',
    })
    expect(await queue.run(() => Promise.resolve('again'))).toBe('again')
  })

  it('a deadline counts the waiting, and makes room even where the work hangs', async () => {
    const queue = queueOf({ timeoutMs: 30 })
    const signals: AbortSignal[] = []
    const hang = (signal: AbortSignal) => new Promise<never>(() => signals.push(signal))
    const calls = [queue.run(hang), queue.run(hang)]
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'ERR_HMAC_TIMEOUT' })
    expect(signals[0]?.aborted).toBe(true)
    expect(await queue.run(() => Promise.resolve('next'))).toBe('next')
  })

  it('who gives up while waiting is never started', async () => {
    const queue = queueOf()
    const { open, passed } = gate()
    const first = queue.run(() => passed)
    const controller = new AbortController()
    let started = 0
    const second = queue.run(() => Promise.resolve(started++), controller.signal)
    controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'ERR_HMAC_ABORTED' })
    open()
    await first
    expect(started).toBe(0)
  })

  it('ends all on close', async () => {
    const queue = queueOf()
    const calls = [1, 2].map(() => queue.run(() => new Promise<never>(() => {})))
    queue.close()
    queue.close()
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'ERR_HMAC_CLOSED' })
    await expect(queue.run(() => Promise.resolve(1))).rejects.toMatchObject({ code: 'ERR_HMAC_CLOSED' })
  })
})
