import type { Logger } from 'pino'
import { usageError } from '../cli-error.ts'

/** JSON lines on stderr. */
export type Log = Logger

const LEVELS = ['debug', 'info', 'warn', 'error']

/**
 * A log for what runs on and on. Nothing secret goes there.
 *
 * @throws {CliError}
 */
export async function jsonLog(level = 'info'): Promise<Log> {
  if (!LEVELS.includes(level)) throw usageError(`--log-level must be ${LEVELS.join(', ')}`)
  const { destination, pino, stdTimeFunctions } = await import('pino')
  const stderr = destination({ fd: 2, sync: true })
  stderr.on('error', () => {}) // a full disk is no reason to stop
  const log = pino({ level, base: { pid: process.pid }, timestamp: stdTimeFunctions.isoTime }, stderr)
  process.removeAllListeners('warning').on('warning', ({ name, message }) => log.warn({ warning: name }, message))
  return log
}
