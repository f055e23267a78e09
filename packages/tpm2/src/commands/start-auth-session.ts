import { ALG, HASHES, type HashAlgorithm } from '../algorithms.ts'
import { HIERARCHIES } from '../handles.ts'
import { concat, sized, u8, u16 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, ObjectHandle, Tpm } from '../tpm.ts'

/** How a session encrypts parameters: AES-128 in CFB mode, or XOR with a mask (Part 1 §21). */
export type SessionCipher = 'aes-128-cfb' | 'xor'

/** What a session starts from. `startHmacSession` and `startPolicySession` fill it in. */
export interface StartAuthSessionInit {
  readonly kind: 'hmac' | 'policy' | 'trial'
  readonly hash: HashAlgorithm
  /** 16 octets at least, at most a digest. */
  readonly nonceCaller: Uint8Array
  /** Key that the salt is encrypted for. */
  readonly saltKey?: ObjectHandle
  /** Content of the TPM2B_ENCRYPTED_SECRET; empty without a key. */
  readonly encryptedSalt: Uint8Array
  readonly bind?: ObjectHandle
  readonly cipher: SessionCipher | undefined
  /** Wiped when the session has gone; may be filled once it is there. */
  readonly secrets?: readonly Uint8Array[]
}

/** TPM_SE (Part 2 §6.11). */
const KINDS = { hmac: 0x00, policy: 0x01, trial: 0x03 } as const

/**
 * Starts a session, without keeping its secrets: see `startHmacSession` and `startPolicySession`.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §11.1, TPM2_StartAuthSession
 */
export async function startAuthSession(
  tpm: Tpm,
  init: StartAuthSessionInit,
  options?: CallOptions,
): Promise<{ handle: number; nonceTpm: Uint8Array; connection: number }> {
  const { handle, parameters, connection } = await tpm.execute(
    {
      command: 'TPM2_StartAuthSession',
      handles: [init.saltKey ?? HIERARCHIES.null, init.bind ?? HIERARCHIES.null],
      secrets: init.secrets,
      parameters: concat(
        sized(init.nonceCaller),
        sized(init.encryptedSalt),
        u8(KINDS[init.kind]),
        encodeCipher(init.cipher, init.hash),
        u16(HASHES[init.hash].id),
      ),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_StartAuthSession')
  const nonceTpm = reader.sized(HASHES[init.hash].size)
  reader.end()
  if (nonceTpm.length < 16) throw reader.malformed('a short nonce')
  return { handle, nonceTpm, connection }
}

/** TPMT_SYM_DEF (Part 2 §11.1.6). */
function encodeCipher(cipher: SessionCipher | undefined, hash: HashAlgorithm): Uint8Array {
  if (cipher === undefined) return u16(ALG.null)
  if (cipher === 'xor') return concat(u16(ALG.xor), u16(HASHES[hash].id))
  return concat(u16(ALG.aes), u16(128), u16(ALG.cfb))
}
