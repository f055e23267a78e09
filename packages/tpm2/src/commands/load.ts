import { concat } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { PublicArea } from '../public-area.ts'
import { decodePublic, encodePublic } from '../public-codec.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'
import type { LoadedObject } from './create-primary.ts'
import { assertName } from './read-public.ts'

/** What to load. */
export interface LoadInit {
  readonly parent: ObjectHandle
  /** Of the parent. */
  readonly auth?: Authorization
  /** TPM2B_PRIVATE, size field included. */
  readonly private: Uint8Array
  /** Decoded, or as TPM2B_PUBLIC, size field included. */
  readonly public: PublicArea | Uint8Array
  readonly sessions?: readonly Session[]
}

/**
 * Loads an object that was made below this parent, by `create` or `importKey`.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RESPONSE` when the TPM loaded something else.
 * @see TPM 2.0 Part 3 §12.2, TPM2_Load
 */
export async function load(tpm: Tpm, init: LoadInit, options?: CallOptions): Promise<LoadedObject> {
  const area = init.public instanceof Uint8Array ? decodePublic(init.public) : init.public
  const { handle, parameters, connection } = await tpm.execute(
    {
      command: 'TPM2_Load',
      handles: [init.parent],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concat(init.private, encodePublic(area)),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_Load')
  const name = assertName(reader, area)
  reader.end()
  return { handle, name, public: area, connection }
}
