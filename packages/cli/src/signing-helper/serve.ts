import {
  type AwsSessionProvider,
  type CredentialServer,
  type CredentialServerEvent,
  createCredentialServer,
} from '@hardbound/credential-server'
import { RolesAnywhereError } from '@hardbound/roles-anywhere'
import { CliError } from '../cli-error.ts'
import { stopSignal } from '../internal/stop-signal.ts'
import { failureText, flagFailure } from './failure.ts'
import { log } from './log.ts'
import { openSession } from './open-session.ts'
import { maxAttemptsOf } from './session-init.ts'
import type { FlagsOf } from './types.ts'

/** Longer than a session may take, which has a deadline of its own. */
const CREDENTIAL_TIMEOUT_MS = 60_000

/**
 * Serves credentials on 127.0.0.1 until SIGINT or SIGTERM, then lets requests under way finish for up to 5 seconds.
 *
 * @throws {CliError} where there is no first session, or the port is taken.
 */
export async function serve(flags: FlagsOf<'serve'>): Promise<void> {
  assertPort(flags.port)
  checkHopLimit(flags['hop-limit'])
  const allowedUids = uidsOf(flags['allow-uid'])
  const { request, identity } = await openSession(flags)
  let isListening = false
  const provider = async () => {
    try {
      return await request()
    } catch (error) {
      if (isListening) log(failureText(error, maxAttemptsOf(process.env)))
      throw error
    }
  }
  try {
    const server = serverOf(flags, provider, allowedUids)
    const { host, port } = await server.listen().catch(startFailure)
    isListening = true
    const stopped = stopSignal()
    log(`Local server started on port: ${port}`)
    log(`export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://${host}:${port}/`)
    log(`${await stopped}: requests under way have 5 seconds`)
    await server.close()
  } finally {
    void identity.close()
  }
}

function serverOf(
  flags: FlagsOf<'serve'>,
  provider: AwsSessionProvider,
  allowedUids: readonly number[],
): CredentialServer {
  try {
    return createCredentialServer({
      aws: { provider, roleName: flags['role-arn'].split('/').at(-1) ?? '' },
      port: flags.port,
      allowedUids,
      limits: { credentialTimeoutMs: CREDENTIAL_TIMEOUT_MS },
      onEvent: eventLog(flags.debug),
    })
  } catch (cause) {
    return flagFailure(cause)
  }
}

/** The session's own words, where that is what failed. */
function startFailure(error: unknown): never {
  const { cause } = error as { cause?: unknown }
  throw cause instanceof RolesAnywhereError ? cause : error
}

function eventLog(debug: boolean): (event: CredentialServerEvent) => void {
  const told = new Set<number>()
  return ({ type, reason, status, route = 'no route', uid }) => {
    if (type !== 'refused') return // logged by its own error
    if (reason === 'peer' && uid !== undefined && told.size < 100 && !told.has(uid)) {
      told.add(uid)
      log(`user ${uid} was refused; --allow-uid ${uid} lets it in`)
    } else if (debug) log(`refused: ${reason} (${status}, ${route})`)
  }
}

function assertPort(port: number): void {
  if (port < 0 || port > 65_535) throw new CliError('--port must be 0 to 65535')
}

/** Node has no call for it. */
function checkHopLimit(hops: number): void {
  if (hops < 1 || hops > 255) throw new CliError('--hop-limit must be 1 to 255')
  if (hops !== 64) {
    log(
      'warning: --hop-limit has no effect: Node can not set it. The server listens on 127.0.0.1, which no router forwards',
    )
  }
}

function uidsOf(list: string): number[] {
  if (list === '') return []
  if (!/^\d{1,10}(?:,\d{1,10})*$/.test(list)) throw new CliError('--allow-uid must be user ids with commas between')
  return list.split(',').map(Number)
}
