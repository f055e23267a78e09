import { isAbsolute } from 'node:path'
import { assertConnectInit } from '@hardbound/ekm-tls'
import { usageError } from '../cli-error.ts'
import { fileOf, given, inWordsOfFlags } from '../internal/flags.ts'
import { connectInitOf } from './broker-target.ts'
import type { DoctorOptions } from './context.ts'

/** What was given to `hardbound doctor`. */
export interface DoctorFlags {
  readonly json?: boolean
  readonly broker?: string
  readonly ca?: string
  readonly pin?: string[]
  readonly dateFrom?: string
  readonly offline?: boolean
  readonly tpm?: string
  readonly module?: string[]
  readonly socket?: string
}

/**
 * Checks the flags.
 *
 * @throws {CliError} naming the flag.
 */
export function doctorOptionsOf(flags: DoctorFlags): DoctorOptions {
  const { broker, ca, pin, dateFrom, offline = false, tpm, module = [], socket } = flags
  if (offline && (broker ?? dateFrom) !== undefined)
    throw usageError('--offline does not go with --broker or --date-from')
  if (pin !== undefined && broker === undefined) throw usageError('--pin needs --broker')
  if (dateFrom !== undefined && !(URL.canParse(dateFrom) && new URL(dateFrom).protocol === 'https:')) {
    throw usageError('--date-from must begin with https://')
  }
  if (tpm?.startsWith('swtpm:') && !/^swtpm:(?:127(?:\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$/.test(tpm)) {
    throw usageError('--tpm: swtpm:127.0.0.1:port; a TPM of another machine is not looked at')
  }
  if (!module.every((it) => isAbsolute(it))) throw usageError('--module must be an absolute path')
  fileOf('--ca', ca)
  const target =
    broker === undefined ? undefined : { url: broker, where: '', ...given('ca', ca), ...given('pins', pin) }
  if (target !== undefined) {
    try {
      assertConnectInit(connectInitOf(target))
    } catch (cause) {
      inWordsOfFlags(cause, { url: '--broker', spkiPins: '--pin' })
    }
  }
  return {
    offline,
    modules: module,
    ...given('broker', target),
    ...given('dateFrom', dateFrom),
    ...given('ca', ca),
    ...given('tpm', tpm),
    ...given('socket', socket),
  }
}
