import type { CredentialServerEvent } from '@hardbound/credential-server'
import { describe, expect, it, jest } from '@jest/globals'
import { eventLog } from '../src/serve/event-log.ts'

const REFUSED: CredentialServerEvent = { type: 'refused', reason: 'peer', status: 403, uid: 1001 }

function start() {
  const log = { debug: jest.fn(), warn: jest.fn(), error: jest.fn() }
  const time = { seconds: 0 }
  const failures = new Map([['reader', 'AWS refuses the session [ERR_RA_REFUSED]']])
  return { log, time, onEvent: eventLog(log, failures, () => time.seconds) }
}

describe('eventLog', () => {
  it('I20 says who was refused, and why there are no credentials', () => {
    const { log, onEvent } = start()
    onEvent(REFUSED)
    onEvent({ type: 'refresh-failed', reason: 'credential', status: 503, roleName: 'reader' })
    expect(log.warn).toHaveBeenCalledWith({ reason: 'peer', status: 403, uid: 1001 }, 'refused')
    const why = 'AWS refuses the session [ERR_RA_REFUSED]'
    expect(log.error).toHaveBeenCalledWith(expect.objectContaining({ roleName: 'reader', why }), 'no new credentials')
  })

  it('takes what SDKs look for in vain for no attack', () => {
    const { log, onEvent } = start()
    onEvent({ type: 'refused', reason: 'path', status: 404 })
    expect(log.debug).toHaveBeenCalledTimes(1)
    expect(log.warn).not.toHaveBeenCalled()
  })

  it('I11 lets nobody fill the disk', () => {
    const { log, time, onEvent } = start()
    for (let at = 0; at < 10_000; at++) onEvent(REFUSED)
    expect(log.warn).toHaveBeenCalledTimes(61)
    expect(log.warn).toHaveBeenLastCalledWith('refused; more of this minute are not logged')
    time.seconds = 60
    onEvent(REFUSED)
    expect(log.warn).toHaveBeenCalledTimes(62)
  })
})
