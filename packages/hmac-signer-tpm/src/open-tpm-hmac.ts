import {
  assertKnownAnswer,
  checkKnownAnswer,
  forgetSigningKeys,
  type HmacBackend,
  knownAnswer,
} from '@hardbound/sigv4-hmac/backend'
import type { Tpm } from '@hardbound/tpm2'
import { type KeyAuthOptions, type KeyUse, openTpmKey, type ParentOptions, type TpmOptions } from '@hardbound/tpm2/keys'
import { isFinal, rethrow } from './internal/errors.ts'
import { asBackend, assertHmacKey, computeTag } from './internal/hmac-key.ts'

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
  let answer = init.knownAnswer
  if (answer !== undefined) assertKnownAnswer(answer)
  const key = await openTpmKey(init, {
    accept: assertHmacKey,
    async recognize(tpm: Tpm, use: KeyUse) {
      if (answer === undefined) answer = await knownAnswer(asBackend(tpm, use))
      else await checkKnownAnswer(asBackend(tpm, use), answer)
    },
    isFinal,
    onFinal: () => forgetSigningKeys(backend),
  }).catch(rethrow)
  const backend: HmacBackend = {
    name: 'tpm',
    async hmacSha256(message, options) {
      const copy = new Uint8Array(message)
      return key.use((tpm, use) => computeTag(tpm, use, copy), options?.signal).catch(rethrow)
    },
    async close() {
      await key.close()
      forgetSigningKeys(backend)
    },
  }
  return backend
}
