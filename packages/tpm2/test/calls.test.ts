import { describe, expect, it } from '@jest/globals'
import { createCalls } from '../src/keys/calls.ts'

/** Work that ends when it is told to. */
function held() {
  let end = () => {}
  const until = new Promise<void>((resolve) => (end = resolve))
  return { work: () => until.then(() => 'done'), end }
}
const isCode = (code: string) => expect.objectContaining({ code })

describe('createCalls', () => {
  it('M27 has one at work, so many waiting, and no more; a place is free as soon as an answer is there', async () => {
    const calls = createCalls({ timeoutMs: 10_000, maxWaiting: 1 })
    const [first, second] = [held(), held()]
    const answers = [calls.run(first.work), calls.run(second.work)]
    await expect(calls.run(second.work)).rejects.toEqual(isCode('ERR_TPM_OVERLOADED'))
    first.end()
    expect(await answers[0]).toBe('done')
    const third = calls.run(() => Promise.resolve('third'))
    second.end()
    expect(await answers[1]).toBe('done')
    expect(await third).toBe('third')
  })
  it('has who is late leave, while his work goes on, and tells the work', async () => {
    const calls = createCalls({ timeoutMs: 20, maxWaiting: 5 })
    const { work, end } = held()
    const isOver: boolean[] = []
    const late = calls.run(async (gone) => work().then(() => isOver.push(gone())))
    const waiting = calls.run(() => Promise.reject(new Error('never begun')))
    await expect(late).rejects.toEqual(isCode('ERR_TPM_TIMEOUT'))
    await expect(waiting).rejects.toEqual(isCode('ERR_TPM_TIMEOUT'))
    end()
    expect(await calls.run(() => Promise.resolve('next'))).toBe('next')
    expect(isOver).toEqual([true])
  })
  it('closes once for all who close, when the work has ended', async () => {
    const calls = createCalls({ timeoutMs: 10_000, maxWaiting: 5 })
    const { work, end } = held()
    const outcomes = Promise.allSettled([calls.run(work), calls.run(work)])
    const closing = Promise.all([calls.close(), calls.close()])
    end()
    await closing
    const closed = { status: 'rejected', reason: isCode('ERR_TPM_CLOSED') }
    expect(await outcomes).toEqual([closed, closed])
    await expect(calls.run(work)).rejects.toEqual(isCode('ERR_TPM_CLOSED'))
  })
})
