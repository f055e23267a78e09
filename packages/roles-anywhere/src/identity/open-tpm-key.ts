import { assertPaths } from './file-source.ts'
import { type LoneKey, loneKey } from './lone-key.ts'
import { keepPassword } from './password.ts'
import { readWholeFile } from './read-file.ts'
import { placeOf } from './tpm-key-place.ts'
import { createTpmKeys, type TpmDeviceInit, type TpmKeyName } from './tpm-keys.ts'

/** Which key of which TPM: options of `tpmIdentity`. */
export interface TpmKeyInit extends TpmDeviceInit {
  /** Persistent handle, or a TSS2 PRIVATE KEY. */
  readonly key: TpmKeyName
}

/**
 * Opens a private key in a TPM, whose certificate is not known or does not matter.
 *
 * @throws {TypeError} on wrong options.
 * @throws {RolesAnywhereError} `ERR_RA_FILE`, `ERR_RA_KEY`, `ERR_RA_PASSWORD`, `ERR_RA_DEVICE`
 */
export async function openTpmKey(init: TpmKeyInit): Promise<LoneKey> {
  const { key } = init
  if (key === undefined) throw new TypeError('"key" is missing')
  const file = 'file' in key ? key.file : undefined
  assertPaths({ 'key.file': file })
  const octets = file === undefined ? Buffer.alloc(0) : (await readWholeFile(file)).octets
  const password = keepPassword(init.keyPassword)
  const keys = createTpmKeys(init, password)
  const close = async () => {
    password.stopAsking()
    await keys.close()
    password.wipe()
  }
  try {
    const place = placeOf(key, (from) => ({ from, value: octets }))
    return await keys.use(place, (it) => Promise.resolve(loneKey(it, close)))
  } catch (error) {
    await close()
    throw error
  } finally {
    octets.fill(0)
  }
}
