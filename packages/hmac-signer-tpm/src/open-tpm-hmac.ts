import { assertKnownAnswer, forgetSigningKeys, type HmacBackend } from '@hardbound/sigv4-hmac/backend'
import type { CallLimits } from './internal/calls.ts'
import { openDevice } from './internal/device.ts'
import { enrolledKey } from './internal/enrolled-key.ts'
import { createGate } from './internal/gate.ts'
import { keySourceOf } from './internal/key.ts'
import { isPersistent, settingsOf } from './internal/settings.ts'
import { computeTag } from './internal/tag.ts'
import type { KeyAuthOptions, ParentOptions, TpmOptions } from './options.ts'

/** Which key, in which TPM. */
export interface OpenTpmHmacInit extends TpmOptions, KeyAuthOptions, ParentOptions {
  /** Persistent handle, `0x81000000` to `0x81ffffff`; or the text of a TSS2 PRIVATE KEY file. */
  readonly key: { readonly handle: number } | { readonly pem: string }
  /** What the key answered when it was enrolled: 32 hexadecimal digits. Without it, what it answers first. */
  readonly knownAnswer?: string
  /** For one HMAC, waiting included; before the first, as long to reach the TPM. Default: 5,000; 30,000 where each one has a primary key made first. */
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
  const limits = limitsOf(init)
  const source = keySourceOf(init.key)
  const settings = settingsOf(init)
  const device = await openDevice(init, limits.timeoutMs).catch((error: unknown) => {
    settings.wipe()
    throw error
  })
  const gate = createGate(device, limits, () => forgetSigningKeys(backend))
  const close = async () => {
    await gate.close()
    settings.wipe()
    forgetSigningKeys(backend)
  }
  const ready = enrolledKey(source, settings, init.knownAnswer)
  const backend: HmacBackend = {
    name: 'tpm',
    async hmacSha256(message, options) {
      const copy = new Uint8Array(message)
      return gate.alone(async (tpm) => computeTag(tpm, await ready(tpm), copy), options?.signal)
    },
    close,
  }
  await gate.alone(ready).catch(async (error: unknown) => {
    await close()
    throw error
  })
  return backend
}

function limitsOf({ key, knownAnswer: expected, ...init }: OpenTpmHmacInit): CallLimits {
  if ('handle' in key && !isPersistent(key.handle))
    throw new RangeError('"key.handle" must be 0x81000000 to 0x81ffffff')
  if (expected !== undefined) assertKnownAnswer(expected)
  const { timeoutMs = 'pem' in key || init.sessionEncryption ? 30_000 : 5_000, maxWaiting = 256 } = init
  if (!(timeoutMs > 0 && timeoutMs <= 600_000)) throw new RangeError('"timeoutMs" must be 1 to 600000')
  if (!Number.isInteger(maxWaiting) || maxWaiting < 0) throw new RangeError('"maxWaiting" must be a whole number')
  return { timeoutMs, maxWaiting }
}
