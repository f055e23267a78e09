import { tpmProperty } from './commands/get-capability.ts'
import { startup } from './commands/startup.ts'
import { Tpm2Error } from './errors.ts'
import { Connection, type Patience } from './internal/connection.ts'
import { assertTimeout } from './internal/deadline.ts'
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
  /** How often a command is repeated when the TPM asks for that, within two seconds. Default, and most: 10. */
  readonly maxRetries?: number
}

/**
 * Opens a TPM. Starts it, where nobody has yet; and where there is no resource manager, takes it to be this program's
 * alone: objects and sessions that an earlier program left in it are flushed.
 *
 * @throws {Tpm2Error} as the transport does; as {@link Tpm.execute} does when what is there does not answer as a TPM.
 * @throws {RangeError} on times and numbers that can't be.
 */
export async function openTpm(init: OpenTpmInit): Promise<Tpm> {
  const patience = { commandTimeoutMs: init.commandTimeoutMs ?? 5_000, maxRetries: init.maxRetries ?? 10 }
  assertTimeout('commandTimeoutMs', patience.commandTimeoutMs)
  if (!Number.isInteger(patience.maxRetries) || patience.maxRetries < 0 || patience.maxRetries > 10) {
    throw new RangeError('"maxRetries" must be 0 to 10')
  }
  const { transport } = init
  const open = typeof transport === 'function' ? transport : undefined
  let current = await greet(typeof transport === 'function' ? await transport() : transport, 1, patience)
  let closing: Promise<void> | undefined
  const scope = new Scope(current, async () => {
    if (!current.isBroken || open === undefined || closing !== undefined) return current
    await current.close()
    current = await greet(await open(), current.connection + 1, patience)
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

/** The first words on a connection: is there a TPM, is it started, and is it clean? */
async function greet(transport: TpmTransport, number: number, patience: Patience): Promise<Connection> {
  const connection = new Connection(transport, number, patience)
  try {
    await tpmProperty(connection, 'manufacturer').catch(async (error: unknown) => {
      if (!(error instanceof Tpm2Error) || error.rc !== RC_INITIALIZE) throw error
      await startup(connection)
      await tpmProperty(connection, 'manufacturer')
    })
    if (!transport.hasResourceManager) await flushStale(connection, new Set())
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}
