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

export function createGate(device: Device, limits: CallLimits): Gate {
  const calls = createCalls(limits)
  let final: Error | undefined
  return {
    alone: (work, signal) =>
      calls.run(async (stop) => {
        const once = async (tpm: Tpm) => {
          if (final) throw final // it came while we waited
          return work(tpm).catch((cause: unknown) => {
            const error = toHmacError(cause)
            if (isFinal(error)) final = error // before the next one has its turn
            throw error
          })
        }
        if (final) throw final
        return device.tpm.exclusively(once, { signal: stop }).catch((cause: unknown) => {
          throw toHmacError(cause)
        })
      }, signal),
    async close() {
      await calls.close()
      await device.close()
    },
  }
}
