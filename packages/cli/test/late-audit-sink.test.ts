import type { AuditRecord, AuditSink } from '@hardbound/broker-core'
import { describe, expect, it } from '@jest/globals'
import { createLateAuditSink } from '../src/internal/late-audit-sink.ts'

function memorySink(healthy = true) {
  const events: string[] = []
  const sink: AuditSink = {
    append: async ({ event }: AuditRecord) => void events.push(event),
    ready: () => healthy,
    close: async () => void events.push('closed'),
  }
  return { sink, events }
}

describe('an audit sink that is opened later', () => {
  it('L13 lets records wait, in order, and is not ready before', async () => {
    const { sink, events } = memorySink()
    const late = createLateAuditSink()
    const appended = [late.append({ event: 'intent' }), late.append({ event: 'grant' })]
    expect(late.ready()).toBe(false)
    let begin!: (opened: AuditSink) => void
    const opening = late.open(new Promise((resolve) => (begin = resolve)))
    await new Promise(setImmediate)
    expect({ ready: late.ready(), events }).toEqual({ ready: false, events: [] })

    begin(sink)
    await Promise.all([opening, ...appended])
    expect({ ready: late.ready(), events }).toEqual({ ready: true, events: ['intent', 'grant'] })
    await late.close()
    expect(events.at(-1)).toBe('closed')
  })

  it('is as ready as the sink it has', async () => {
    const late = createLateAuditSink()
    await late.open(Promise.resolve(memorySink(false).sink))
    expect(late.ready()).toBe(false)
  })

  it('L13 refuses what waited where it cannot be opened', async () => {
    const late = createLateAuditSink()
    const appended = late.append({ event: 'intent' })
    const why = new Error('no disk')
    const [opened, waited] = await Promise.allSettled([late.open(Promise.reject(why)), appended])
    expect([opened, waited]).toEqual(Array(2).fill({ status: 'rejected', reason: why }))
    await expect(late.append({ event: 'grant' })).rejects.toBe(why)
    expect(late.ready()).toBe(false)
  })

  it('closes where it was never opened', async () => {
    await expect(createLateAuditSink().close()).resolves.toBeUndefined()
  })
})
