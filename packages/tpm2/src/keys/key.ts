import { importKey } from '../commands/import-key.ts'
import { load } from '../commands/load.ts'
import { readPublic } from '../commands/read-public.ts'
import { Tpm2Error } from '../errors.ts'
import { type KeyFile, readKeyFile } from '../key-file.ts'
import type { PublicArea } from '../public-area.ts'
import { decodePublic } from '../public-codec.ts'
import type { ObjectHandle, Tpm } from '../tpm.ts'
import { withParent } from './parent.ts'
import type { Protection } from './protection.ts'
import type { Settings } from './settings.ts'
import { using } from './using.ts'

/** Where the key is: in the TPM for good, or in a file that its parent has to load. */
export type KeySource = { readonly handle: number } | { readonly file: KeyFile; readonly public: PublicArea }

/** A key whose public part is known and fits. */
export interface Key {
  readonly public: PublicArea
  readonly at: ObjectHandle | { readonly file: KeyFile; readonly private: Uint8Array }
}

/** @throws {Tpm2Error} `ERR_TPM_KEY_FILE` */
export function keySourceOf(key: { handle: number } | { pem: string }): KeySource {
  if ('handle' in key) return key
  try {
    const file = readKeyFile(key.pem)
    return { file, public: decodePublic(file.public) }
  } catch (cause) {
    throw new Tpm2Error('ERR_TPM_KEY_FILE', 'the key file is not a TSS2 PRIVATE KEY', { cause })
  }
}

/**
 * Looks at the key, and imports it where its file has it still wrapped for the journey.
 *
 * @param accept Throws where it is not one for the purpose; no password has been shown then.
 */
export async function findKey(
  tpm: Tpm,
  source: KeySource,
  accept: (area: PublicArea) => void,
  settings: Settings,
  protection: Protection,
): Promise<Key> {
  if ('handle' in source) {
    const found = await readPublic(tpm, { handle: source.handle })
    accept(found.public)
    return { public: found.public, at: found }
  }
  const { file, public: area } = source
  accept(area)
  if (file.type === 'sealed') throw unfit('the file has sealed data')
  const { secret: seed } = file
  if (seed === undefined) return { public: area, at: { file, private: file.private } }
  const kind = parentOf(file)
  return withParent(tpm, kind, settings, protection, async (parent) => {
    const wrapped = await using(tpm, await parent.authorize(), (auth) =>
      importKey(tpm, { parent, auth, public: area, duplicate: file.private, seed, sessions: protection.sessions }),
    )
    return { public: area, at: { file, private: wrapped.private } }
  })
}

/** The key in the TPM, loaded if need be. */
export async function loadKey(
  tpm: Tpm,
  { at, public: area }: Key,
  settings: Settings,
  protection: Protection,
): Promise<ObjectHandle> {
  if ('handle' in at) return at
  const kind = parentOf(at.file)
  return withParent(tpm, kind, settings, protection, async (parent) => {
    return using(tpm, await parent.authorize(), (auth) =>
      load(tpm, { parent, auth, private: at.private, public: area, sessions: protection.sessions }),
    )
  })
}

/** @returns `ERR_TPM_KEY` */
export const unfit = (why: string): Tpm2Error => new Tpm2Error('ERR_TPM_KEY', `the key can't be used: ${why}`)

const parentOf = ({ parent, rsaParent = false }: KeyFile) => ({ handle: parent, rsaParent })
