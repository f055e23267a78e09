import { startUpdating, type Updater, type UpdaterEvent } from '@hardbound/credential-server/update'
import { CliError } from '../cli-error.ts'
import { jsonLog, type Log } from '../internal/daemon.ts'
import { endAnyway } from '../internal/end-anyway.ts'
import { inWordsOfFlags } from '../internal/flags.ts'
import { messageOf } from '../internal/process-credential.ts'
import { stopSignal } from '../internal/stop-signal.ts'
import type { ConfiguredSource } from '../sources/configured-source.ts'
import { type OpenAwsSource, tellingWhy } from '../sources/source.ts'
import { parseUpdate, type UpdateRequest } from './update-flags.ts'

/**
 * `hardbound update`: once, or until SIGTERM or SIGINT.
 *
 * @throws {CliError}
 */
export async function update(args: string[]): Promise<void> {
  const request = parseUpdate(args)
  if (request.help !== undefined) return void process.stdout.write(request.help)
  const log = await jsonLog(request.logLevel)
  const { file, sources } = await request.targets()
  const opened: { entry: ConfiguredSource; source: OpenAwsSource }[] = []
  for (const entry of sources) opened.push({ entry, source: await openSource(entry, log) })
  const stopped = stopSignal() // before this, a signal ends the process at once
  const updaters: Updater[] = []
  let signal: NodeJS.Signals | undefined
  try {
    for (const { entry, source } of opened) updaters.push(startUpdater(entry, source, file, request, log))
    const results = Promise.allSettled(updaters.map(({ done }) => done))
    signal = await Promise.race([stopped, results.then(() => undefined)])
    if (signal !== undefined) log.info({ signal }, 'stopping')
    await Promise.all(updaters.map((it) => it.stop()))
    const failed = (await results).find((it) => it.status === 'rejected')
    if (failed !== undefined) throw new CliError(messageOf(failed.reason), { cause: failed.reason })
    if (signal !== undefined && request.once) throw new CliError(`${signal} came before all was written`)
  } finally {
    endAnyway(signal)
    await Promise.allSettled([...updaters.map((it) => it.stop()), ...opened.map(({ source }) => source.close())])
  }
}

async function openSource({ name, source, flags }: ConfiguredSource, log: Log): Promise<OpenAwsSource> {
  if (source.cloud !== 'aws') throw new CliError('tokens of Azure have no such file')
  const opened = await source.open(flags, (message) => log.warn({ profile: name }, message))
  return tellingWhy(opened, (error) => log.error({ profile: name }, messageOf(error)))
}

function startUpdater(
  { name: profile }: ConfiguredSource,
  { provide: provider }: OpenAwsSource,
  file: string,
  { once, tighten }: UpdateRequest,
  log: Log,
): Updater {
  const onEvent = ({ type, ...event }: UpdaterEvent): void =>
    type === 'updated' ? log.info(event, 'the profile is current') : log.error(event, 'the profile has its last keys')
  try {
    return startUpdating({ provider, file, profile, once, tighten, onEvent })
  } catch (cause) {
    return inWordsOfFlags(cause, { file: '--credentials-file' })
  }
}
