import { openTpm } from '../open-tpm.ts'
import { openTransport } from '../open-transport.ts'
import type { Tpm } from '../tpm.ts'
import type { TpmOptions } from './options.ts'
import { toKeyError } from './to-key-error.ts'

/** A TPM that is open. */
export interface Device {
  readonly tpm: Tpm
  /** Leaves one open that was so before. */
  close(): Promise<void>
}

/**
 * @param timeoutMs For opening, and then for each command.
 * @throws {Tpm2Error}
 */
export async function openDevice({ tpm, dangerouslyAllowTcp = false }: TpmOptions, timeoutMs: number): Promise<Device> {
  if (typeof tpm !== 'string') return { tpm, close: () => Promise.resolve() }
  try {
    const transport = () => openTransport(tpm, { timeoutMs, dangerouslyAllowTcp })
    const opened = await openTpm({ transport, commandTimeoutMs: timeoutMs, openTimeoutMs: timeoutMs })
    return { tpm: opened, close: () => opened.close() }
  } catch (cause) {
    throw toKeyError(cause)
  }
}
