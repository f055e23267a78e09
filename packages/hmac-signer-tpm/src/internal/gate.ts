import type { Tpm } from '@hardbound/tpm2'
import { type CallLimits, createCalls } from './calls.ts'
import type { Device } from './device.ts'
import { isFinal, toHmacError } from './errors.ts'

/** The way to a TPM: one caller at a time, with a deadline, and none any more after an error that no second try mends. */
export interface Gate {
  /** @throws {HmacBackendError} */
  alone<T>(work: (tpm: Tpm) => Promise<T>, signal?: AbortSignal): Promise<T>
  close(): Promise<void>
}

/** @param onFinal Called once, with the first such error. */
export function createGate(device: Device, limits: CallLimits, onFinal = (): void => {}): Gate {
  const calls = createCalls(limits)
  let final: Error | undefined
  return {
    alone: (work, signal) =>
      calls.run(async (isOver) => {
        if (final) throw final
        try {
          return await device.tpm.exclusively((tpm) => {
            if (isOver()) throw new Error('nobody waits any longer') // and nobody sees this
            return work(tpm)
          })
        } catch (cause) {
          const error = toHmacError(cause)
          if (isFinal(error) && final === undefined) {
            final = error
            onFinal()
          }
          throw error
        }
      }, signal),
    async close() {
      await calls.close()
      await device.close()
    },
  }
}
