import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { startUpdating, type Updater, type UpdaterEvent } from '@hardbound/credential-server/update'
import { stopSignal } from '../internal/stop-signal.ts'
import { failureText, flagFailure } from './failure.ts'
import { log } from './log.ts'
import { type OpenSession, openSession } from './open-session.ts'
import { maxAttemptsOf } from './session-init.ts'
import type { FlagsOf } from './types.ts'

/**
 * Writes a profile of the shared credentials file, and keeps it current until SIGINT or SIGTERM, whatever goes wrong meanwhile.
 *
 * @throws What went wrong, with `--once` only.
 */
export async function update(flags: FlagsOf<'update'>): Promise<void> {
  const session = await openSession(flags)
  try {
    const updater = start(flags, session)
    if (flags.once) return await updater.done
    await stopSignal()
    await updater.stop()
  } finally {
    void session.identity.close()
  }
}

function start({ profile, once }: FlagsOf<'update'>, { request }: OpenSession): Updater {
  const { AWS_SHARED_CREDENTIALS_FILE: given } = process.env
  const provider = async () => {
    try {
      return await request()
    } catch (error) {
      if (!once) log(failureText(error, maxAttemptsOf(process.env)))
      throw error
    }
  }
  try {
    return startUpdating({
      provider,
      file: given ? resolve(given) : join(homedir(), '.aws', 'credentials'),
      profile,
      once,
      ...(once ? {} : { onEvent: logEvent }),
    })
  } catch (cause) {
    return flagFailure(cause)
  }
}

function logEvent({ type, stage, code, file, nextAt }: UpdaterEvent): void {
  if (type === 'failed' && stage === 'file') log(`${file} was not written [${code ?? 'unknown error'}]`)
  const when = nextAt?.toISOString() ?? ''
  log(type === 'updated' ? `Credentials will be refreshed at ${when}` : `The next try is at ${when}`)
}
