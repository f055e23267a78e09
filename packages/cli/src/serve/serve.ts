import { type CredentialServer, CredentialServerError, createCredentialServer } from '@hardbound/credential-server'
import { CliError } from '../cli-error.ts'
import { jsonLog, type Log, stopSignal } from '../internal/daemon.ts'
import { inWordsOfFlags } from '../internal/flags.ts'
import { messageOf } from '../internal/process-credential.ts'
import type { SourcesConfig } from '../sources/configured-source.ts'
import { writeEnvironmentFile } from './environment-file.ts'
import { parseServe } from './serve-flags.ts'
import { prepareServer } from './server-init.ts'

/**
 * `hardbound serve`: until SIGTERM or SIGINT.
 *
 * @throws {CliError}
 */
export async function serve(args: string[]): Promise<void> {
  const { help, logLevel, config } = parseServe(args)
  if (help !== undefined) return void process.stdout.write(help)
  const log = await jsonLog(logLevel)
  const stopped = stopSignal()
  const close = await start(await config(), log)
  log.info({ signal: await stopped }, 'finishing requests under way')
  await close()
  log.info('stopped')
  process.exit(0)
}

/** @returns Stops it. */
async function start(config: SourcesConfig, log: Log): Promise<() => Promise<void>> {
  const { init, close: closeSources } = await prepareServer(config, (source, message) => log.warn({ source }, message))
  const undo = [closeSources]
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const server = makeServer(init, log)
    const { host, port } = await listen(server)
    undo.push(() => server.close())
    const { files, leading } = variablesOf(config, server)
    for (const { path, variables } of files) undo.push(await writeEnvironmentFile(path, variables))
    const listening = port === 0 ? { socket: host } : { host, port }
    log.info({ listening, environment: leading, roles: server.health() }, 'listening')
    undo.push(watchHealth(server, log))
    return close
  } catch (error) {
    await close()
    throw error
  }
}

function makeServer(init: Parameters<typeof createCredentialServer>[0], log: Log): CredentialServer {
  try {
    return createCredentialServer({
      ...init,
      onEvent: ({ type, ...event }) => {
        // SDKs look for regions and for managed identity where there is none.
        const isProbe = event.reason === 'path' || event.reason === 'metadata'
        if (type === 'refresh-failed') log.error(event, 'no new credentials')
        else log[isProbe ? 'debug' : 'warn'](event, 'refused')
      },
    })
  } catch (cause) {
    return inWordsOfFlags(cause, { roleName: '--role-name', tokenFile: '--token-file', allowedUids: '--allow-uid' })
  }
}

/** @throws {CliError} */
async function listen(server: CredentialServer) {
  return server.listen().catch((cause: unknown) => {
    const inner =
      cause instanceof CredentialServerError && cause.cause !== undefined ? `: ${messageOf(cause.cause)}` : ''
    const known = cause instanceof CredentialServerError && cause.code === 'ERR_SERVER_CREDENTIAL'
    throw new CliError(`${messageOf(cause)}${known ? inner : ''}`, { cause })
  })
}

const SECRET = /TOKEN$|HEADER|SECRET/

/** Variables that lead to each source; of the first, those that may be logged. */
function variablesOf({ sources }: SourcesConfig, server: CredentialServer) {
  const of = (name: string | undefined): Record<string, string> => {
    try {
      return server.environment(name)
    } catch (cause) {
      if (cause instanceof TypeError) return {} // a UNIX socket
      throw cause
    }
  }
  const [first] = sources
  const nameOf = (it: typeof first) => (it?.source.cloud === 'aws' ? it.name : undefined)
  const leading = Object.entries(of(nameOf(first))).filter(([name]) => !SECRET.test(name))
  return {
    leading: Object.fromEntries(leading),
    files: sources.flatMap((it) =>
      it.environmentFile === undefined ? [] : [{ path: it.environmentFile, variables: of(nameOf(it)) }],
    ),
  }
}

/** Logs each role's new session, and its first failure. */
function watchHealth(server: CredentialServer, log: Log): () => Promise<void> {
  let last = JSON.stringify(server.health())
  const timer = setInterval(() => {
    const roles = server.health()
    const now = JSON.stringify(roles)
    if (now !== last) log.info({ roles }, 'credentials')
    last = now
  }, 5_000)
  timer.unref()
  return () => Promise.resolve(clearInterval(timer))
}
