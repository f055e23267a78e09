import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { decodePublic, type ObjectHandle, type PublicArea, type Tpm } from '@hardbound/tpm2'
import { importKey, load, readPublic } from '@hardbound/tpm2/commands'
import { type KeyFile, readKeyFile } from '@hardbound/tpm2/key-file'
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

/** @throws {HmacBackendError} `ERR_HMAC_KEY` */
export function keySourceOf(key: { handle: number } | { pem: string }): KeySource {
  if ('handle' in key) return key
  try {
    const file = readKeyFile(key.pem)
    return { file, public: decodePublic(file.public) }
  } catch (cause) {
    throw new HmacBackendError('ERR_HMAC_KEY', 'tpm: the key file is not a TSS2 PRIVATE KEY', { cause })
  }
}

/** Looks at the key, and imports it where its file has it still wrapped for the journey. */
export async function findKey(tpm: Tpm, source: KeySource, settings: Settings, protection: Protection): Promise<Key> {
  if ('handle' in source) {
    const found = await readPublic(tpm, { handle: source.handle })
    assertHmacKey(found.public)
    return { public: found.public, at: found }
  }
  const { file, public: area } = source
  assertHmacKey(area)
  if (file.type === 'sealed') throw refused('the file has sealed data')
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

/** M11: a key that gives HMAC-SHA-256 of what it is asked, and nothing else. */
function assertHmacKey(area: PublicArea): void {
  if (area.type !== 'keyedhash') throw refused('it is not an HMAC key')
  if (!area.attributes.includes('sign')) throw refused('it may not sign')
  if (area.attributes.includes('restricted')) throw refused('it is restricted')
  if (area.scheme?.scheme !== 'hmac' || area.scheme.hash !== 'sha256') throw refused('it is not for HMAC-SHA-256')
}

const refused = (why: string) => new HmacBackendError('ERR_HMAC_KEY', `tpm: the key can't be used: ${why}`)

const parentOf = ({ parent, rsaParent = false }: KeyFile) => ({ handle: parent, rsaParent })
