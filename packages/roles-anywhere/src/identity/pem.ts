import type { X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { assertPaths, fileSource } from './file-source.ts'
import { keepPassword, type Password } from './password.ts'
import { readPemIdentity } from './pem-identity.ts'

/** Files in PEM, of 1 MiB at most each. */
export interface PemIdentityInit {
  /** The first certificate in it is the leaf. What follows is taken for intermediates, without `intermediatesFile`. */
  readonly certificateFile: string
  /** PKCS #8, SEC 1, PKCS #1. Default: it is in `certificateFile` too. */
  readonly privateKeyFile?: string | undefined
  /** Certificates alone. */
  readonly intermediatesFile?: string | undefined
  /** Of a private key in PKCS #8 that is encrypted by PBES2; a key that is not encrypted is refused then. */
  readonly password?: Password | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes an identity of PEM files. They are read again, all at one moment, when they have changed; as long as what is there does not
 * belong together or can't be read, the last identity is used.
 *
 * @throws {TypeError} on wrong options. `current()` throws {@link RolesAnywhereError}.
 */
export function pemIdentity(init: PemIdentityInit): X509IdentitySource {
  const { certificateFile, privateKeyFile = certificateFile, intermediatesFile, onWarning } = init
  if (certificateFile === undefined) throw new TypeError('"certificateFile" is missing')
  assertPaths({ certificateFile, privateKeyFile, intermediatesFile })
  const password = keepPassword(init.password)
  return fileSource({
    name: 'pem',
    files: [certificateFile, privateKeyFile, intermediatesFile],
    keyFile: privateKeyFile,
    load(read) {
      const intermediates = intermediatesFile === undefined ? undefined : read(intermediatesFile)
      const texts = { certificate: read(certificateFile), privateKey: read(privateKeyFile), intermediates }
      return readPemIdentity(texts, password, onWarning)
    },
    onClose: () => password.wipe(),
    stopAsking: () => password.stopAsking(),
    onWarning,
  })
}
