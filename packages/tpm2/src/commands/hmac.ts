import { HASHES, type HashAlgorithm } from '../algorithms.ts'
import { concat, sized, u16 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/** What to authenticate, and with which key. */
export interface HmacInit {
  readonly key: ObjectHandle
  /** Of the key. */
  readonly auth?: Authorization
  /** At most 1024 octets in most TPMs (TPM_PT_INPUT_BUFFER); `hmacSequence` takes any length. */
  readonly message: Uint8Array
  /** The key's scheme must allow it. Default: `sha256`. */
  readonly hash?: HashAlgorithm
  readonly sessions?: readonly Session[]
}

/**
 * HMAC of a message that fits into one command.
 *
 * @returns The whole tag, 32 octets for SHA-256; the caller's own.
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RESPONSE` on a tag of another length.
 * @see TPM 2.0 Part 3 §15.5, TPM2_HMAC
 */
export async function hmac(tpm: Tpm, init: HmacInit, options?: CallOptions): Promise<Uint8Array> {
  const hash = init.hash ?? 'sha256'
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_HMAC',
      handles: [init.key],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concat(sized(init.message), u16(HASHES[hash].id)),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_HMAC')
  const tag = readTag(reader, hash)
  reader.end()
  parameters.fill(0)
  return tag
}

/** A digest that has the length of its algorithm. */
export function readTag(reader: Reader, hash: HashAlgorithm): Uint8Array {
  const tag = reader.sized()
  if (tag.length !== HASHES[hash].size) throw reader.malformed(`a digest of ${tag.length} octets`)
  return tag
}
