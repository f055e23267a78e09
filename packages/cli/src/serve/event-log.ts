import type { CredentialServerEvent } from '@hardbound/credential-server'
import type { Log } from '../internal/daemon.ts'

/** Anybody on the machine can be refused as often as they like, and nobody's disk is to be full of it. */
const REFUSALS_A_MINUTE = 60

/**
 * Logs what a credential server tells.
 *
 * @param clock Seconds, on a clock that nobody sets.
 */
export function eventLog(
  log: Pick<Log, 'debug' | 'warn' | 'error'>,
  clock = () => process.uptime(),
): (event: CredentialServerEvent) => void {
  let minute = 0
  let logged = 0
  return ({ type, ...event }) => {
    if (type === 'refresh-failed') return log.error(event, 'no new credentials')
    // SDKs look for regions and for managed identity where there is none.
    if (event.reason === 'path' || event.reason === 'metadata') return log.debug(event, 'refused')
    const now = Math.floor(clock() / 60)
    if (now !== minute) {
      minute = now
      logged = 0
    }
    logged += 1
    if (logged <= REFUSALS_A_MINUTE) log.warn(event, 'refused')
    else if (logged === REFUSALS_A_MINUTE + 1) log.warn('refused; more of this minute are not logged')
  }
}
