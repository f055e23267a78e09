import { HIERARCHIES, type Hierarchy } from '../handles.ts'
import { EMPTY, sized, u32 } from '../internal/octets.ts'
import { readPublicArea } from '../internal/read-public-area.ts'
import { Reader } from '../internal/reader.ts'
import { concatWithSensitive, encodeSensitiveCreate } from '../internal/sensitive-create.ts'
import type { PublicArea } from '../public-area.ts'
import { encodePublic } from '../public-codec.ts'
import { TEMPLATES, type TemplateName } from '../templates.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'
import { skipCreation } from './create.ts'
import { assertName } from './read-public.ts'

/** An object that is loaded, with the public area that its name was checked against. */
export interface LoadedObject extends ObjectHandle {
  readonly public: PublicArea
}

/** What to make a primary key of. */
export interface CreatePrimaryInit {
  readonly hierarchy: Hierarchy
  readonly template: PublicArea | TemplateName
  /** Of the hierarchy. */
  readonly auth?: Authorization
  /** To be asked for whenever the key is used. Default: empty. */
  readonly userAuth?: Uint8Array
  readonly sessions?: readonly Session[]
}

/**
 * Makes a primary key; the same one every time, from the same template. RSA keys take some TPMs a minute.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RESPONSE` when name and public area do not fit.
 * @see TPM 2.0 Part 3 §24.1, TPM2_CreatePrimary
 */
export async function createPrimary(tpm: Tpm, init: CreatePrimaryInit, options?: CallOptions): Promise<LoadedObject> {
  const template = typeof init.template === 'string' ? TEMPLATES[init.template] : init.template
  const { handle, parameters, connection } = await tpm.execute(
    {
      command: 'TPM2_CreatePrimary',
      handles: [HIERARCHIES[init.hierarchy]],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concatWithSensitive(
        encodeSensitiveCreate(init.userAuth, undefined),
        encodePublic(template),
        sized(EMPTY), // outsideInfo
        u32(0), // creationPCR
      ),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_CreatePrimary')
  const area = reader.sizedStructure(readPublicArea)
  skipCreation(reader)
  const name = assertName(reader, area)
  reader.end()
  return { handle, name, public: area, connection }
}
