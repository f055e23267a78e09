import { HIERARCHIES, type Hierarchy } from '../handles.ts'
import { concat, EMPTY, sized, u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { PublicArea } from '../public-area.ts'
import { encodePublic } from '../public-codec.ts'
import type { CallOptions, Tpm } from '../tpm.ts'
import type { LoadedObject } from './create-primary.ts'
import { assertName } from './read-public.ts'

/**
 * Loads the public part of an object of another TPM, such as the new parent of a duplicate.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RESPONSE` when the TPM loaded something else.
 * @see TPM 2.0 Part 3 §12.3, TPM2_LoadExternal
 */
export async function loadExternal(
  tpm: Tpm,
  init: { readonly public: PublicArea; readonly hierarchy?: Hierarchy },
  options?: CallOptions,
): Promise<LoadedObject> {
  const { handle, parameters, connection } = await tpm.execute(
    {
      command: 'TPM2_LoadExternal',
      handles: [],
      parameters: concat(sized(EMPTY), encodePublic(init.public), u32(HIERARCHIES[init.hierarchy ?? 'null'])),
    },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_LoadExternal')
  const name = assertName(reader, init.public)
  reader.end()
  return { handle, name, public: init.public, connection }
}
