import { keepPassword, type Password } from '../identity/password.ts'
import { pkcs12Identity } from '../identity/pkcs12.ts'
import { readWholeFile } from '../identity/read-file.ts'
import { readPkcs12 } from '../identity/read-pkcs12.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import type { CertificateStore } from './certificate-store.ts'

/** A PKCS #12 file, 1 MiB at most, with any number of private keys. */
export interface Pkcs12StoreInit {
  readonly file: string
  /** Default: empty. */
  readonly password?: Password | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes a store of a PKCS #12 file. All its certificates are listed, and those that a private key is there for can be opened.
 *
 * @throws {TypeError} on wrong options.
 */
export function pkcs12Store({ file, password = '', onWarning }: Pkcs12StoreInit): CertificateStore {
  if (typeof file !== 'string' || file === '') throw new TypeError('"file" must be a path')
  const keeper = keepPassword(password)
  return {
    name: 'pkcs12',
    async list() {
      const { octets } = await readWholeFile(file)
      const { keys, certificates } = await keeper.use(file, (it) => readPkcs12({ from: file, value: octets }, it))
      for (const { der } of keys) der.fill(0)
      return certificates.map(({ der }) => ({ certificate: der, location: file }))
    },
    open({ certificate }) {
      const known = () => keeper.use(file, (it) => Promise.resolve(Buffer.from(it))) // nobody is asked twice
      return Promise.resolve(pkcs12Identity({ file, certificate, onWarning, password: known }))
    },
    close() {
      keeper.stopAsking()
      keeper.wipe()
      return Promise.resolve()
    },
  }
}
