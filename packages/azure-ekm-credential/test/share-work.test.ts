import { describe, expect, it, jest } from '@jest/globals'
import { shareWork } from '../src/internal/share-work.ts'
import { rejection } from './harness.ts'

/** Work that ends when it is told to, or when its signal fires. */
function setUp() {
  let finish: (outcome: string | Error) => void = () => {}
  let ended = false
  const onOver = jest.fn()
  const work = shareWork<string>(
    (signal) =>
      new Promise((resolve, reject) => {
        finish = (outcome) => (typeof outcome === 'string' ? resolve(outcome) : reject(outcome))
        signal.addEventListener('abort', () => {
          ended = true
          reject(new Error('told to end'))
        })
      }),
    onOver,
  )
  return { work, onOver, finish: (outcome: string | Error) => finish(outcome), ended: () => ended }
}

describe('shareWork', () => {
  it('gives all callers one outcome', async () => {
    const { work, finish } = setUp()
    const both = Promise.all([work.join({}), work.join({ timeoutMs: 60_000 })])
    finish('done')
    expect(await both).toEqual(['done', 'done'])
  })

  it('lets one caller leave while the others wait on', async () => {
    const { work, finish, ended } = setUp()
    const controller = new AbortController()
    const leaver = rejection(work.join({ abortSignal: controller.signal }))
    const stayer = work.join({})
    controller.abort()
    expect(await leaver).toMatchObject({ name: 'AbortError' })
    expect(ended()).toBe(false)
    finish('done')
    expect(await stayer).toBe('done')
  })

  it('ends the work when the last caller has left', async () => {
    const { work, ended, onOver } = setUp()
    const controllers = [new AbortController(), new AbortController()]
    const leavers = controllers.map((it) => rejection(work.join({ abortSignal: it.signal })))
    controllers[0]!.abort()
    await leavers[0]
    expect([ended(), onOver.mock.calls.length]).toEqual([false, 0])
    controllers[1]!.abort()
    await leavers[1]
    expect(ended()).toBe(true)
    expect(onOver).toHaveBeenCalled()
  })

  it('lets a caller’s own time end', async () => {
    const { work, ended } = setUp()
    expect(await rejection(work.join({ timeoutMs: 1 }))).toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
    expect(ended()).toBe(true)
  })

  it.each([2 ** 31, Infinity])('C07 waits as long as it takes for a caller who has %d ms', async (timeoutMs) => {
    const { work, finish } = setUp()
    const waiting = work.join({ timeoutMs })
    await new Promise((resolve) => setTimeout(resolve, 20)) // a timer that overflows fires after 1 ms
    finish('done')
    expect(await waiting).toBe('done')
  })

  it('says that it is over before callers hear of the outcome, and takes its listeners back', async () => {
    const { work, finish, onOver } = setUp()
    const signal = { aborted: false, addEventListener: jest.fn(), removeEventListener: jest.fn() }
    const waiting = rejection(work.join({ abortSignal: signal }))
    const over = waiting.then(() => onOver.mock.calls.length)
    finish(new Error('no'))
    expect(await waiting).toMatchObject({ message: 'no' })
    expect(await over).toBeGreaterThan(0)
    expect(signal.removeEventListener.mock.calls).toEqual(signal.addEventListener.mock.calls)
  })
})
