import type { CredentialServerEvent } from '@hardbound/credential-server'
import type { Log } from '../internal/daemon.ts'

/** Anybody on the machine can be refused as often as they like, and nobody's disk is to be full of it. */
const REFUSALS_A_MINUTE = 60

/**
 * Logs what a credential server tells.
 *
 * @param failures Why a role has no new session: the event has a code alone.
 * @param clock Seconds, on a clock that nobody sets.
 */
export function eventLog(
  log: Pick<Log, 'debug' | 'warn' | 'error'>,
  failures: ReadonlyMap<string, string>,
  clock = () => process.uptime(),
): (event: CredentialServerEvent) => void {
  let minute = 0
  let logged = 0
  return ({ type, ...event }) => {
    if (type === 'refresh-failed') {
      return log.error({ ...event, why: failures.get(event.roleName ?? '') }, 'no new credentials')
    }
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
