import { ALG } from '../algorithms.ts'
import { concat, EMPTY, sized, u16 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { PublicArea } from '../public-area.ts'
import { encodePublic } from '../public-codec.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'
import type { WrappedObject } from './create.ts'

/** An object on its way to a new parent: what `duplicate` and `wrapForImport` make. */
export interface ImportKeyInit {
  readonly parent: ObjectHandle
  /** Of the parent. */
  readonly auth?: Authorization
  readonly public: PublicArea
  /** TPM2B_PRIVATE, size field included. */
  readonly duplicate: Uint8Array
  /** TPM2B_ENCRYPTED_SECRET, size field included: the seed of the outer wrapper. */
  readonly seed: Uint8Array
  /** Key of the inner wrapper, AES-128: 16 octets. Default: no inner wrapper. */
  readonly encryptionKey?: Uint8Array
  readonly sessions?: readonly Session[]
}

/**
 * Turns an object that was wrapped for this parent into one that the parent can load.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RC` with TPM_RC_INTEGRITY when it was wrapped for another parent.
 * @see TPM 2.0 Part 3 §13.3, TPM2_Import
 */
export async function importKey(tpm: Tpm, init: ImportKeyInit, options?: CallOptions): Promise<WrappedObject> {
  const { encryptionKey } = init
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_Import',
      handles: [init.parent],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concat(
        sized(encryptionKey ?? EMPTY),
        encodePublic(init.public),
        init.duplicate,
        init.seed,
        encryptionKey === undefined ? u16(ALG.null) : concat(u16(ALG.aes), u16(128), u16(ALG.cfb)),
      ),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_Import')
  const privateArea = sized(reader.sized())
  reader.end()
  return { public: init.public, private: privateArea }
}
