import { describe, expect, it } from '@jest/globals'
import { createWaitQueue } from '../src/internal/wait-queue.ts'
import { rejection } from './helpers.ts'

describe('createWaitQueue', () => {
  it('M27 ignores an abort between what is given and its arrival, and takes nobody else out', async () => {
    const queue = createWaitQueue<string>(2)
    const controller = new AbortController()
    const first = queue.wait({ timeoutMs: 1_000, signal: controller.signal })
    const second = queue.wait({ timeoutMs: 1_000 })
    queue.give('one')
    controller.abort()
    expect(queue.length).toBe(1)
    expect(await first).toBe('one')
    queue.give('two')
    expect(await second).toBe('two')
  })

  it('M27 takes out who aborts in time, and nobody else', async () => {
    const queue = createWaitQueue<string>(2)
    const controller = new AbortController()
    const first = queue.wait({ timeoutMs: 1_000, signal: controller.signal })
    const second = queue.wait({ timeoutMs: 1_000 })
    controller.abort()
    expect(await rejection(first)).toMatchObject({ code: 'ERR_PKCS11_ABORTED' })
    queue.give('one')
    expect(await second).toBe('one')
  })
})
