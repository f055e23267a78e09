import type { PublicArea } from '../public-area.ts'
import type { Tpm } from '../tpm.ts'
import type { CallLimits } from './calls.ts'
import { openDevice } from './device.ts'
import { createGate, type GateEnd } from './gate.ts'
import { findKey, type KeySource, keySourceOf } from './key.ts'
import { assertTriesLeft } from './lockout.ts'
import type { KeyAuthOptions, ParentOptions, TpmOptions } from './options.ts'
import { planFor } from './policy.ts'
import { protect } from './protection.ts'
import { isPersistent, type Settings, settingsOf } from './settings.ts'
import type { KeyUse } from './with-key.ts'

/** Which key, in which TPM. */
export interface OpenTpmKeyInit extends TpmOptions, KeyAuthOptions, ParentOptions {
  /** Persistent handle, `0x81000000` to `0x81ffffff`; or the text of a TSS2 PRIVATE KEY file. */
  readonly key: { readonly handle: number } | { readonly pem: string }
  /**
   * For one use, waiting included; before the first, as long to reach the TPM. Default: 5,000; 30,000 where each one has a primary key made
   * first.
   */
  readonly timeoutMs?: number
  /** Callers that may wait. Default: 256. */
  readonly maxWaiting?: number
}

/** What the key is for. */
export interface KeyPurpose extends GateEnd {
  /** Throws where the key is not for this purpose. It is asked before any password is shown. */
  accept(area: PublicArea): void
  /** Throws where this is not the key of before. It is asked whenever the connection to the TPM is a new one, so first at open. */
  recognize(tpm: Tpm, use: KeyUse): Promise<void>
}

/** A key in a TPM, ready for use. */
export interface TpmKey {
  /** One use, alone with the TPM: `withKey` has the key loaded in it. */
  use<T>(work: (tpm: Tpm, use: KeyUse) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Turns all away, waits for the one at work, wipes the passwords. A second call does nothing. */
  close(): Promise<void>
}

/**
 * Opens a key in a TPM: checks what it is, that its policy can be satisfied, and, whenever the connection to the TPM is a new one, that it
 * is the same key. Holds no slot of the TPM between uses. After an error that no second try mends it does not touch the TPM again.
 *
 * @throws {Tpm2Error}, and what the purpose throws.
 * @throws {TypeError} or {RangeError} on options that can't be right, before anything is opened.
 */
export async function openTpmKey(init: OpenTpmKeyInit, purpose: KeyPurpose): Promise<TpmKey> {
  const limits = limitsOf(init)
  const source = keySourceOf(init.key)
  const settings = settingsOf(init)
  const device = await openDevice(init, limits.timeoutMs).catch((error: unknown) => {
    settings.wipe()
    throw error
  })
  let isOpen = false
  const gate = createGate(device, limits, {
    isFinal: (error) => purpose.isFinal?.(error) === true,
    onFinal: () => isOpen && purpose.onFinal?.(), // before, nobody has it
  })
  const ready = readiness(source, settings, purpose)
  const close = async () => {
    await gate.close()
    settings.wipe()
  }
  await gate.alone(ready).catch(async (error: unknown) => {
    await close()
    throw error
  })
  isOpen = true
  return {
    use: (work, signal) => gate.alone(async (tpm) => work(tpm, await ready(tpm)), signal),
    close,
  }
}

/** Makes the key ready within one `exclusively`; what was found out about it is kept for as long as the connection. */
function readiness(source: KeySource, settings: Settings, purpose: KeyPurpose): (tpm: Tpm) => Promise<KeyUse> {
  let known: (Pick<KeyUse, 'key' | 'plan'> & { connection: number }) | undefined
  return async (tpm) => {
    const protection = await protect(tpm, settings.encryption)
    if (known?.connection === tpm.connection) return { ...known, settings, protection }
    const key = await findKey(tpm, source, (area) => purpose.accept(area), settings, protection)
    const plan = await planFor(tpm, key.public, settings, protection)
    const use = { key, plan, settings, protection }
    if (plan.kind === 'password' || plan.authValue) await assertTriesLeft(tpm, key.public)
    await purpose.recognize(tpm, use)
    known = { key, plan, connection: tpm.connection }
    return use
  }
}

function limitsOf({ key, ...init }: OpenTpmKeyInit): CallLimits {
  if ('handle' in key && !isPersistent(key.handle))
    throw new RangeError('"key.handle" must be 0x81000000 to 0x81ffffff')
  const { timeoutMs = 'pem' in key || init.sessionEncryption ? 30_000 : 5_000, maxWaiting = 256 } = init
  if (!(timeoutMs > 0 && timeoutMs <= 600_000)) throw new RangeError('"timeoutMs" must be 1 to 600000')
  if (!Number.isInteger(maxWaiting) || maxWaiting < 0) throw new RangeError('"maxWaiting" must be a whole number')
  return { timeoutMs, maxWaiting }
}
