import { tpmProperty } from './commands/get-capability.ts'
import { startup } from './commands/startup.ts'
import { Tpm2Error } from './errors.ts'
import { Connection, type Patience } from './internal/connection.ts'
import { assertTimeout, withinTime } from './internal/deadline.ts'
import { RC_INITIALIZE } from './internal/response-code.ts'
import { Scope } from './internal/scope.ts'
import { flushStale } from './internal/stale-handles.ts'
import type { Tpm } from './tpm.ts'
import type { TpmTransport } from './transport.ts'

/** How to reach the TPM, and how patient to be. */
export interface OpenTpmInit {
  /** A transport; or a function that opens one, and is called again when the connection broke. */
  readonly transport: TpmTransport | (() => Promise<TpmTransport>)
  /** For one command, in milliseconds; those that make keys get two minutes at least. Default: 5 000. */
  readonly commandTimeoutMs?: number
  /** For opening, the transport included, and for each reconnect, in milliseconds. Default: 30 000. */
  readonly openTimeoutMs?: number
  /** How often a command is repeated when the TPM asks for that, within two seconds. Default, and most: 10. */
  readonly maxRetries?: number
}

type OpenPatience = Patience & { readonly openTimeoutMs: number }

/**
 * Opens a TPM. Starts it, where nobody has yet; and where there is no resource manager, takes it to be this program's
 * alone: objects and sessions that an earlier program left in it are flushed.
 *
 * @throws {Tpm2Error} as the transport does; `ERR_TPM_TIMEOUT` after `openTimeoutMs`; as {@link Tpm.execute} does when
 * what is there does not answer as a TPM.
 * @throws {RangeError} on times and numbers that can't be.
 */
export async function openTpm(init: OpenTpmInit): Promise<Tpm> {
  const { commandTimeoutMs = 5_000, openTimeoutMs = 30_000, maxRetries = 10 } = init
  const patience = { commandTimeoutMs, openTimeoutMs, maxRetries }
  assertTimeout('commandTimeoutMs', commandTimeoutMs)
  assertTimeout('openTimeoutMs', openTimeoutMs)
  if (!Number.isInteger(maxRetries) || maxRetries < 0 || maxRetries > 10) {
    throw new RangeError('"maxRetries" must be 0 to 10')
  }
  const { transport } = init
  const open = typeof transport === 'function' ? transport : undefined
  const openOnce = typeof transport === 'function' ? transport : () => Promise.resolve(transport)
  let current = await connect(openOnce, 1, patience)
  let closing: Promise<void> | undefined
  const scope = new Scope(current, async () => {
    if (!current.isBroken || open === undefined || closing !== undefined) return current
    await current.close()
    current = await connect(open, current.connection + 1, patience)
    return current
  })
  return {
    description: scope.description,
    get connection() {
      return scope.connection
    },
    execute: (command, options) => scope.execute(command, options),
    exclusively: (work, options) => scope.exclusively(work, options),
    close: () => {
      closing ??= scope.close().then(() => current.close())
      return closing
    },
  }
}

/** A connection in time, or none: what opens too late is closed. */
function connect(open: () => Promise<TpmTransport>, number: number, patience: OpenPatience): Promise<Connection> {
  const { openTimeoutMs } = patience
  return withinTime(openTimeoutMs, 'opening the TPM', async (signal) => {
    const transport = await open()
    const connection = new Connection(transport, number, patience)
    const close = (): void => void connection.close()
    signal.addEventListener('abort', close)
    try {
      if (signal.aborted) throw signal.reason
      await greet(connection)
      if (!transport.hasResourceManager) await flushStale(connection, new Set(), openTimeoutMs)
      return connection
    } catch (error) {
      await connection.close()
      throw error
    } finally {
      signal.removeEventListener('abort', close)
    }
  })
}

/** The first words on a connection: is there a TPM, and is it started? */
async function greet(connection: Connection): Promise<void> {
  await tpmProperty(connection, 'manufacturer').catch(async (error: unknown) => {
    if (!(error instanceof Tpm2Error) || error.rc !== RC_INITIALIZE) throw error
    await startup(connection)
    await tpmProperty(connection, 'manufacturer')
  })
}
