import { assertKnownAnswer, checkKnownAnswer, type HmacBackend, knownAnswer } from '@hardbound/sigv4-hmac/backend'
import type { Tpm } from '@hardbound/tpm2'
import { createCalls } from './internal/calls.ts'
import { openDevice } from './internal/device.ts'
import { isFinal, toHmacError } from './internal/errors.ts'
import { findKey, type Key, keySourceOf } from './internal/key.ts'
import { type Plan, planFor } from './internal/policy.ts'
import { type Protection, protect } from './internal/protection.ts'
import { isPersistent, settingsOf } from './internal/settings.ts'
import { computeTag } from './internal/tag.ts'
import type { KeyAuthOptions, ParentOptions, TpmOptions } from './options.ts'

/** Which key, in which TPM. */
export interface OpenTpmHmacInit extends TpmOptions, KeyAuthOptions, ParentOptions {
  /** Persistent handle, `0x81000000` to `0x81ffffff`; or the text of a TSS2 PRIVATE KEY file. */
  readonly key: { readonly handle: number } | { readonly pem: string }
  /** What the key answered when it was enrolled: 32 hexadecimal digits. Without it, what it answers first. */
  readonly knownAnswer?: string
  /** For one HMAC, waiting included. Default: 5,000; 30,000 where each one has a primary key made first. */
  readonly timeoutMs?: number
  /** Callers that may wait. Default: 256. */
  readonly maxWaiting?: number
}

/**
 * Opens an HMAC key in a TPM: checks what it is, that it may be used, and that it is the one that was enrolled; the latter again whenever
 * the connection to the TPM is a new one. Holds no slot of the TPM between calls. After a wrong password, a changed PCR, another key or
 * another TPM it does not touch the TPM again.
 *
 * @throws {HmacBackendError}
 * @throws {TypeError} or {RangeError} on options that can't be right.
 */
export async function openTpmHmac(init: OpenTpmHmacInit): Promise<HmacBackend> {
  const { timeoutMs, maxWaiting } = assertLimits(init)
  const source = keySourceOf(init.key)
  const settings = settingsOf(init)
  let expected = init.knownAnswer
  let known: { readonly key: Key; readonly plan: Plan; readonly connection: number } | undefined
  let final: Error | undefined

  /** What the key is, found out once per connection, and sessions to use it with. */
  async function ready(tpm: Tpm) {
    const protection = await protect(tpm, settings.encryption)
    if (known?.connection === tpm.connection) return { ...known, protection }
    const key = await findKey(tpm, source, settings, protection)
    const plan = await planFor(tpm, key.public, settings, protection)
    await recognise(tpm, key, plan, protection)
    known = { key, plan, connection: tpm.connection }
    return { ...known, protection }
  }
  async function recognise(tpm: Tpm, key: Key, plan: Plan, protection: Protection): Promise<void> {
    const backend: HmacBackend = {
      name: 'tpm',
      hmacSha256: (message) => computeTag(tpm, { key, plan, settings, protection }, message),
      close: () => Promise.resolve(),
    }
    if (expected === undefined) expected = await knownAnswer(backend)
    else await checkKnownAnswer(backend, expected)
  }
  async function alone<T>(work: (tpm: Tpm) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (final) throw final
    const once = async (tpm: Tpm): Promise<T> => {
      if (final) throw final // while we waited
      try {
        return await work(tpm)
      } catch (cause) {
        const error = toHmacError(cause)
        if (isFinal(error)) final = error // before the next in the queue has its turn
        throw error
      }
    }
    return calls.run(async (stop) => {
      try {
        return await device.tpm.exclusively(once, { signal: stop })
      } catch (cause) {
        throw toHmacError(cause)
      }
    }, signal)
  }
  async function close(): Promise<void> {
    await calls.close()
    settings.wipe()
    await device.close()
  }

  const calls = createCalls({ timeoutMs, maxWaiting })
  const device = await openDevice(init, timeoutMs).catch((error: unknown) => {
    settings.wipe()
    throw error
  })
  try {
    await alone(ready)
  } catch (error) {
    await close()
    throw error
  }
  return {
    name: 'tpm',
    async hmacSha256(message, options) {
      const copy = Uint8Array.from(message)
      return alone(async (tpm) => {
        const { key, plan, protection } = await ready(tpm)
        return computeTag(tpm, { key, plan, settings, protection }, copy)
      }, options?.signal)
    },
    close,
  }
}

function assertLimits({ key, knownAnswer: expected, ...init }: OpenTpmHmacInit) {
  if ('handle' in key && !isPersistent(key.handle))
    throw new RangeError('"key.handle" must be 0x81000000 to 0x81ffffff')
  if (expected !== undefined) assertKnownAnswer(expected)
  const { timeoutMs = 'pem' in key || init.sessionEncryption ? 30_000 : 5_000, maxWaiting = 256 } = init
  if (!(timeoutMs > 0 && timeoutMs <= 600_000)) throw new RangeError('"timeoutMs" must be 1 to 600000')
  if (!Number.isInteger(maxWaiting) || maxWaiting < 0) throw new RangeError('"maxWaiting" must be a whole number')
  return { timeoutMs, maxWaiting }
}
