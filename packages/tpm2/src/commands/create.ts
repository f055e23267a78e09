import { EMPTY, sized, u32 } from '../internal/octets.ts'
import { readPublicArea } from '../internal/read-public-area.ts'
import { Reader } from '../internal/reader.ts'
import { concatWithSensitive, encodeSensitiveCreate } from '../internal/sensitive-create.ts'
import type { PublicArea } from '../public-area.ts'
import { encodePublic } from '../public-codec.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/** What to make an object of. */
export interface CreateInit {
  readonly parent: ObjectHandle
  /** Of the parent. */
  readonly auth?: Authorization
  readonly template: PublicArea
  /** To be asked for whenever the object is used. Default: empty. */
  readonly userAuth?: Uint8Array
  /**
   * Key material or data from outside, at most 128 octets in most TPMs; the template must not have `sensitiveDataOrigin`
   * then. Give an encrypting session with it, else it crosses to the TPM in clear.
   */
  readonly sensitiveData?: Uint8Array
  readonly sessions?: readonly Session[]
}

/** An object outside the TPM, which only its parent can load. */
export interface WrappedObject {
  readonly public: PublicArea
  /** TPM2B_PRIVATE, size field included, as in tpm2-tools' `.priv` files. */
  readonly private: Uint8Array
}

/**
 * Makes an object below a parent. It is not loaded: see `load`.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §12.1, TPM2_Create
 */
export async function create(tpm: Tpm, init: CreateInit, options?: CallOptions): Promise<WrappedObject> {
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_Create',
      handles: [init.parent],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concatWithSensitive(
        encodeSensitiveCreate(init.userAuth, init.sensitiveData),
        encodePublic(init.template),
        sized(EMPTY), // outsideInfo
        u32(0), // creationPCR
      ),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_Create')
  const privateArea = sized(reader.sized())
  const area = reader.sizedStructure(readPublicArea)
  skipCreation(reader)
  reader.end()
  return { public: area, private: privateArea }
}

/** TPM2B_CREATION_DATA, its digest and TPMT_TK_CREATION, which only TPM2_CertifyCreation has a use for. */
export function skipCreation(reader: Reader): void {
  reader.sized()
  reader.sized(64)
  reader.u16() // tag
  reader.u32() // hierarchy
  reader.sized(64)
}
