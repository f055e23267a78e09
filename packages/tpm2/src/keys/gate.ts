import type { Tpm } from '../tpm.ts'
import { type CallLimits, createCalls } from './calls.ts'
import type { Device } from './device.ts'
import { isFinalTpmError, toKeyError } from './to-key-error.ts'

/** The way to a TPM: one caller at a time, with a deadline, and none any more after an error that no second try mends. */
export interface Gate {
  /** @throws {Tpm2Error}, and what `work` throws besides. */
  alone<T>(work: (tpm: Tpm) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Turns all away, waits for the one at work, and closes the device. */
  close(): Promise<void>
}

/** Errors after which it is over. */
export interface GateEnd {
  /** Besides those of a TPM: `ERR_TPM_AUTH_FAIL`, `ERR_TPM_POLICY_FAIL`, `ERR_TPM_KEY_CHANGED`, `ERR_TPM_UNTRUSTED`. */
  isFinal?(error: unknown): boolean
  /** Called once, before the caller gets the first such error. */
  onFinal?(): void
}

/** A gate before a TPM that is open. */
export function createGate(device: Device, limits: CallLimits, end: GateEnd = {}): Gate {
  const calls = createCalls(limits)
  let final: { readonly error: unknown } | undefined
  return {
    alone: (work, signal) =>
      calls.run(async (isOver) => {
        if (final) throw final.error
        try {
          return await device.tpm.exclusively((tpm) => {
            if (isOver()) throw new Error('nobody waits any longer') // and nobody sees this
            return work(tpm)
          })
        } catch (cause) {
          const error = toKeyError(cause)
          if (final === undefined && (isFinalTpmError(error) || end.isFinal?.(error) === true)) {
            final = { error }
            end.onFinal?.()
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
