import { Tpm2Error } from '../errors.ts'
import { EMPTY, hexHandle } from '../internal/octets.ts'
import { readPublicArea } from '../internal/read-public-area.ts'
import { Reader } from '../internal/reader.ts'
import type { PublicArea } from '../public-area.ts'
import { nameOf } from '../public-codec.ts'
import type { CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/** Which object to read. */
export interface ReadPublicInit {
  /** TPM_HANDLE, transient or persistent; or an object that is loaded. */
  readonly handle: number | ObjectHandle
  /** The name that the object must have: pins it. */
  readonly expectName?: Uint8Array
  readonly sessions?: readonly Session[]
}

/** The public part of an object in the TPM. */
export interface ReadPublicResult extends ObjectHandle {
  readonly public: PublicArea
  /** Name over the names of all ancestors (Part 1 §16). */
  readonly qualifiedName: Uint8Array
}

/**
 * Reads the public area of an object, and checks that its name is the digest of it. What it returns can be given to all
 * commands that take an object.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RESPONSE` when name and public area do not fit;
 * `ERR_TPM_UNTRUSTED` when the name is not the expected one.
 * @see TPM 2.0 Part 3 §12.4, TPM2_ReadPublic
 */
export async function readPublic(tpm: Tpm, init: ReadPublicInit, options?: CallOptions): Promise<ReadPublicResult> {
  const object = typeof init.handle === 'number' ? { handle: init.handle, name: EMPTY } : init.handle
  const { parameters, connection } = await tpm.execute(
    { command: 'TPM2_ReadPublic', handles: [object], sessions: init.sessions, parameters: EMPTY },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_ReadPublic')
  const area = reader.sizedStructure(readPublicArea)
  const name = assertName(reader, area)
  const qualifiedName = reader.sized(66)
  reader.end()
  if (init.expectName !== undefined && !Buffer.from(name).equals(init.expectName)) {
    throw new Tpm2Error('ERR_TPM_UNTRUSTED', `the object at ${hexHandle(object.handle)} does not have the pinned name`)
  }
  return { handle: object.handle, name, public: area, qualifiedName, connection }
}

/** Reads a TPM2B_NAME that must be the name of a public area. */
export function assertName(reader: Reader, area: PublicArea): Uint8Array {
  const name = reader.sized(66)
  if (!Buffer.from(nameOf(area)).equals(name)) throw reader.malformed('the name is not that of the public area')
  return name
}
