import type { X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { assertPaths } from './file-source.ts'
import { createGenerations } from './generations.ts'
import { makeIdentity } from './make-identity.ts'
import { keepPassword } from './password.ts'
import { readPemBundle, readPemCertificates } from './pem-certificates.ts'
import { octetsIn } from './read-file.ts'
import { placeOf } from './tpm-key-place.ts'
import { createTpmKeys, type TpmDeviceInit, type TpmKeyName } from './tpm-keys.ts'

/** A certificate in a file, and its private key in a TPM. */
export interface TpmIdentityInit extends TpmDeviceInit {
  /** PEM. The first certificate in it is the leaf. What follows is taken for intermediates, without `intermediatesFile`. */
  readonly certificateFile: string
  /** Certificates alone. */
  readonly intermediatesFile?: string | undefined
  /**
   * Persistent handle (`parseTpmHandle` reads `handle:0x81000101`), or a TSS2 PRIVATE KEY: in a file, or as text.
   * Default: a TSS2 PRIVATE KEY in `certificateFile`.
   */
  readonly key?: TpmKeyName | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes an identity whose private key is in a TPM. The files are read again when they have changed; the key is opened once, and after a
 * wrong password not again: the TPM counts.
 *
 * @throws {TypeError} on wrong options. `current()` throws {@link RolesAnywhereError}.
 */
export function tpmIdentity(init: TpmIdentityInit): X509IdentitySource {
  const { certificateFile, intermediatesFile, key = { file: certificateFile }, onWarning } = init
  if (certificateFile === undefined) throw new TypeError('"certificateFile" is missing')
  const keyFile = 'file' in key ? key.file : undefined
  assertPaths({ certificateFile, intermediatesFile, 'key.file': keyFile })
  const password = keepPassword(init.keyPassword)
  const keys = createTpmKeys(init, password)
  const generations = createGenerations({
    files: [certificateFile, intermediatesFile, keyFile].filter((it) => it !== undefined),
    async load(snapshots) {
      const read = (path: string) => octetsIn(snapshots, path)
      const certificate = read(certificateFile)
      const [leaf, ...rest] = readPemCertificates(certificate)
      const bundle = intermediatesFile === undefined ? undefined : read(intermediatesFile)
      const place = placeOf(key, read)
      return keys.use(place, (privateKey) =>
        makeIdentity({
          leaf: { from: certificateFile, value: leaf },
          others: bundle ? { from: bundle.from, value: readPemBundle(bundle) } : { from: certificateFile, value: rest },
          key: { from: place.from, value: privateKey },
          onUnlinked: bundle && onWarning,
        }),
      )
    },
    release() {},
    onWarning,
  })
  return {
    name: 'tpm',
    current: ({ signal } = {}) => generations.current(signal),
    async close() {
      password.stopAsking()
      await generations.close()
      await keys.close()
      password.wipe()
    },
  }
}
