import { type CredentialServer, CredentialServerError, createCredentialServer } from '@hardbound/credential-server'
import { CliError } from '../cli-error.ts'
import { jsonLog, type Log } from '../internal/daemon.ts'
import { endAnyway } from '../internal/end-anyway.ts'
import { inWordsOfFlags } from '../internal/flags.ts'
import { messageOf } from '../internal/process-credential.ts'
import { stopSignal } from '../internal/stop-signal.ts'
import type { SourcesConfig } from '../sources/configured-source.ts'
import { writeEnvironmentFile } from './environment-file.ts'
import { eventLog } from './event-log.ts'
import { parseServe } from './serve-flags.ts'
import { type PreparedServer, prepareServer } from './server-init.ts'

/**
 * `hardbound serve`: until SIGTERM or SIGINT.
 *
 * @throws {CliError}
 */
export async function serve(args: string[]): Promise<void> {
  const { help, logLevel, config } = parseServe(args)
  if (help !== undefined) return void process.stdout.write(help)
  const log = await jsonLog(logLevel)
  const sources = await config()
  const prepared = await prepareServer(sources, (source, message) => log.warn({ source }, message))
  const server = makeServer(prepared, log)
  const written: (() => Promise<void>)[] = []
  const stopped = stopSignal() // before this, a signal ends the process at once
  const starting = start(sources, prepared.failures, server, written, log)
  let signal: NodeJS.Signals | undefined
  try {
    signal = await Promise.race([stopped, starting.then(() => stopped)])
    log.info({ signal }, 'finishing requests under way')
  } finally {
    const closed = server.close()
    await starting.catch(() => {}) // it has written all that it will
    for (const remove of written) await remove().catch(() => log.warn('an environment file could not be removed'))
    await closed
    endAnyway(signal)
    await prepared.close()
  }
  log.info('stopped')
}

/** @param written Gets what removes each file. */
async function start(
  config: SourcesConfig,
  failures: PreparedServer['failures'],
  server: CredentialServer,
  written: (() => Promise<void>)[],
  log: Log,
): Promise<void> {
  const { host, port } = await listen(server, failures)
  const { files, leading } = variablesOf(config, server)
  for (const { path, variables } of files) written.push(await writeEnvironmentFile(path, variables))
  const listening = port === 0 ? { socket: host } : { host, port }
  log.info({ listening, ...leading, roles: server.health() }, 'listening')
  watchHealth(server, log)
}

function makeServer({ init, failures }: PreparedServer, log: Log): CredentialServer {
  try {
    return createCredentialServer({
      ...init,
      onEvent: eventLog(log, failures),
    })
  } catch (cause) {
    return inWordsOfFlags(cause, FLAG_OF)
  }
}

const FLAG_OF = {
  roleName: '--role-name',
  allowedUids: '--allow-uid',
  host: '--listen',
  port: '--listen',
  socketPath: '--listen',
}

/** @throws {CliError} which says why, where a source has no session. */
async function listen(server: CredentialServer, failures: PreparedServer['failures']) {
  return server.listen().catch((cause: unknown) => {
    const isSource = cause instanceof CredentialServerError && cause.code === 'ERR_SERVER_CREDENTIAL'
    const reasons = [...failures].map(([name, why]) => `no session of ${name}: ${why}`)
    throw new CliError(isSource && reasons.length > 0 ? reasons.join('; ') : messageOf(cause), { cause })
  })
}

const SECRET = /TOKEN$|HEADER|SECRET/

/** Variables that lead to each source, and to no other; and those that may be logged. */
function variablesOf({ sources }: SourcesConfig, server: CredentialServer) {
  const of = ({ source, name }: SourcesConfig['sources'][number]): [string, string][] => {
    const all = Object.entries(environmentOf(server, source.cloud === 'aws' ? name : undefined))
    return all.filter(([variable]) => variable.startsWith('AWS_') === (source.cloud === 'aws'))
  }
  const harmless = (it: SourcesConfig['sources'][number]) =>
    Object.fromEntries(of(it).filter(([variable]) => !SECRET.test(variable)))
  const [first, ...others] = sources.map((it) => [it.name, harmless(it)] as const)
  return {
    leading: { environment: first?.[1], ...(others.length > 0 && { others: Object.fromEntries(others) }) },
    files: sources.flatMap((it) =>
      it.environmentFile === undefined ? [] : [{ path: it.environmentFile, variables: Object.fromEntries(of(it)) }],
    ),
  }
}

function environmentOf(server: CredentialServer, name: string | undefined): Record<string, string> {
  try {
    return server.environment(name)
  } catch (cause) {
    if (cause instanceof TypeError) return {} // a UNIX socket
    throw cause
  }
}

/** Logs each role's new session, and its first failure. */
function watchHealth(server: CredentialServer, log: Log): void {
  let last = JSON.stringify(server.health())
  const timer = setInterval(() => {
    const roles = server.health()
    const now = JSON.stringify(roles)
    if (now !== last) log.info({ roles }, 'credentials')
    last = now
  }, 5_000)
  timer.unref()
}
