import { assertKnownAnswer, type HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { type LocalBackendInit, openLocalBackend } from './internal/local-backend.ts'
import type { KeyUnwrapper } from './key-unwrapper.ts'
import { parseEncryptedTinkKeyset, primaryHmacKey } from './tink-keyset.ts'

/** What {@link openTinkHmac} needs. */
export interface OpenTinkHmacInit extends LocalBackendInit {
  /** The key-encryption key, from `tinkKekUnwrapper`. The backend closes it. */
  readonly unwrap: KeyUnwrapper
  /** JSON with `encryptedKeyset`, as Tink's tools write it. */
  readonly keyset: string
  /** What the key answered when it was enrolled. */
  readonly knownAnswer?: string
}

/**
 * HMAC-SHA-256 under the primary key of a Tink keyset that a KMS decrypts on use. The key is the keyset's `HmacKey` whole:
 * for SigV4 `AWS4` and the secret access key. Asks the KMS once at open.
 *
 * @throws {TypeError | RangeError} on options that can't be right.
 * @throws {HmacBackendError}
 * @see {@link https://developers.google.com/tink/key-management-overview}
 */
export async function openTinkHmac({ unwrap, keyset, knownAnswer, ...init }: OpenTinkHmacInit): Promise<HmacBackend> {
  if (knownAnswer !== undefined) assertKnownAnswer(knownAnswer)
  const { ciphertext, primaryKeyId } = parseEncryptedTinkKeyset(keyset)
  return openLocalBackend(
    init,
    knownAnswer === undefined ? [] : [knownAnswer],
    async (signal) => {
      const serialized = await unwrap.unwrap(ciphertext, { signal })
      try {
        return primaryHmacKey(serialized, primaryKeyId)
      } finally {
        serialized.fill(0)
      }
    },
    () => unwrap.close(),
  )
}
