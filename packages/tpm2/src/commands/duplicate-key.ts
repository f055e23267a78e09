import { ALG } from '../algorithms.ts'
import { concat, EMPTY, sized, u16 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/** What to duplicate, and to where. */
export interface DuplicateKeyInit {
  readonly object: ObjectHandle
  /** A policy session: duplication can't be authorised in another way. */
  readonly auth: Authorization
  /** Must be loaded here, as by `loadExternal`. */
  readonly newParent: ObjectHandle
  readonly sessions?: readonly Session[]
}

/**
 * Wraps a loaded object for another parent, without an inner wrapper.
 *
 * @returns What `importKey` takes: TPM2B_PRIVATE and TPM2B_ENCRYPTED_SECRET, size fields included.
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §13.1, TPM2_Duplicate
 */
export async function duplicateKey(
  tpm: Tpm,
  init: DuplicateKeyInit,
  options?: CallOptions,
): Promise<{ duplicate: Uint8Array; seed: Uint8Array }> {
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_Duplicate',
      handles: [init.object, init.newParent],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concat(sized(EMPTY), u16(ALG.null)),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_Duplicate')
  reader.sized() // encryptionKeyOut: empty without an inner wrapper
  const duplicate = sized(reader.sized())
  const seed = sized(reader.sized())
  reader.end()
  return { duplicate, seed }
}
