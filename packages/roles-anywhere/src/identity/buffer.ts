import type { X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { copied, memorySource } from './memory-source.ts'
import { keepPassword, type Password } from './password.ts'
import { readPemIdentity } from './pem-identity.ts'

/** PEM from standard input, an environment variable, a secret store: text or octets, 1 MiB at most each. */
export interface BufferIdentityInit {
  /** The first certificate in it is the leaf. What follows is taken for intermediates, without `intermediates`. */
  readonly certificate: string | Uint8Array
  /** PKCS #8, SEC 1, PKCS #1. Default: it is in `certificate` too. */
  readonly privateKey?: string | Uint8Array | undefined
  /** Certificates alone. */
  readonly intermediates?: string | Uint8Array | undefined
  /** Of a private key in PKCS #8 that is encrypted by PBES2; a key that is not encrypted is refused then. */
  readonly password?: Password | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes an identity of PEM in memory. It is copied; the copy is wiped once it was read, and on close. Strings can't be wiped.
 *
 * @throws {TypeError} or {RangeError} on wrong options. `current()` throws {@link RolesAnywhereError}.
 */
export function bufferIdentity(init: BufferIdentityInit): X509IdentitySource {
  const certificate = copied('certificate', init.certificate)
  const privateKey = init.privateKey === undefined ? certificate : copied('privateKey', init.privateKey)
  const intermediates = init.intermediates === undefined ? undefined : copied('intermediates', init.intermediates)
  const password = keepPassword(init.password)
  const texts = { certificate, privateKey, intermediates }
  return memorySource('buffer', () => readPemIdentity(texts, password, init.onWarning), {
    forget() {
      for (const it of [certificate, privateKey, intermediates]) it?.value.fill(0)
      password.wipe()
    },
    stopAsking: () => password.stopAsking(),
  })
}
