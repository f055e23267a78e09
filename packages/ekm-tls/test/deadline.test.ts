import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from '@jest/globals'
import { orAborted, withDeadline } from '../src/index.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const never = (): Promise<never> => new Promise(() => {})

describe('withDeadline', () => {
  it('gives what the work gives', async () => {
    await expect(withDeadline({ timeoutMs: 1_000, doing: 'testing' }, async () => 7)).resolves.toBe(7)
    const failing = withDeadline({ timeoutMs: 1_000, doing: 'testing' }, () => Promise.reject(new Error('its own')))
    await expect(failing).rejects.toThrow('its own')
  })

  it('C07 ends work that does not obey: when time is up, when the caller says so, when the caller had said so', async () => {
    const late = withDeadline({ timeoutMs: 20, doing: 'testing' }, never)
    await expect(late).rejects.toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
    const controller = new AbortController()
    const told = withDeadline({ timeoutMs: 60_000, signal: controller.signal, doing: 'testing' }, never)
    controller.abort()
    await expect(told).rejects.toMatchObject({ code: 'ERR_EKM_ABORTED' })
    const before = withDeadline({ timeoutMs: 60_000, signal: AbortSignal.abort(), doing: 'testing' }, never)
    await expect(before).rejects.toMatchObject({ code: 'ERR_EKM_ABORTED' })
  })

  it('fires though garbage is collected while only the work knows the signal', async () => {
    const work = (signal: AbortSignal): Promise<string> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('was told')))
    const { signal } = new AbortController()
    const running = withDeadline({ timeoutMs: 100, signal, doing: 'testing' }, work)
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    await expect(running).resolves.toBe('was told')
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('takes %d ms for a mistake', async (timeoutMs) => {
    await expect(withDeadline({ timeoutMs, doing: 'testing' }, never)).rejects.toThrow(RangeError)
  })
})

describe('orAborted', () => {
  it('lets work that obeys say how it ended', async () => {
    const controller = new AbortController()
    const work = new Promise<string>((resolve) =>
      controller.signal.addEventListener('abort', () => setImmediate(resolve, 'ended well')),
    )
    const waiting = orAborted(controller.signal, work)
    controller.abort()
    await expect(waiting).resolves.toBe('ended well')
  })
})
