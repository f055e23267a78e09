import type { X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { assertPaths, fileSource } from './file-source.ts'
import type { Named } from './make-identity.ts'
import { copied, memorySource } from './memory-source.ts'
import { keepPassword, type Password } from './password.ts'
import { readPkcs12Identity } from './pkcs12-identity.ts'

/** A PKCS #12 file of 1 MiB at most, or what would be in it. */
export type Pkcs12IdentityInit = ({ readonly file: string } | { readonly data: Uint8Array }) & {
  /** Printable ASCII. The empty one is tried first where a person is to be asked. Default: empty. */
  readonly password?: Password | undefined
  /** DER: which one to use. Default: the one that a private key is there for; there must be no second. */
  readonly certificate?: Uint8Array | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes an identity of a PKCS #12 file, which is read again when it has changed. The leaf is the certificate whose private key is there;
 * the chain is made of the others.
 *
 * @throws {TypeError} or {RangeError} on wrong options. `current()` throws {@link RolesAnywhereError}.
 */
export function pkcs12Identity(init: Pkcs12IdentityInit): X509IdentitySource {
  const password = keepPassword(init.password)
  const load = (it: Named<Uint8Array>) => readPkcs12Identity(it, password, init.certificate)
  const onClose = () => password.wipe()
  if ('data' in init) {
    const data = copied('data', init.data)
    const forget = () => {
      data.value.fill(0)
      onClose()
    }
    return memorySource('pkcs12', () => load(data), { forget, stopAsking: () => password.stopAsking() })
  }
  const { file, onWarning } = init
  if (file === undefined) throw new TypeError('"file" is missing')
  assertPaths({ file })
  return fileSource({
    name: 'pkcs12',
    files: [file],
    keyFile: file,
    load: (read) => load(read(file)),
    onClose,
    stopAsking: () => password.stopAsking(),
    onWarning,
  })
}
