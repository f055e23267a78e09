import { assertPaths } from './file-source.ts'
import { type LoneKey, loneKey } from './lone-key.ts'
import { assertSigns } from './make-identity.ts'
import { keepPassword, type Password } from './password.ts'
import { readPemPrivateKey } from './pem-private-key.ts'
import { readWholeFile } from './read-file.ts'

/** Where a private key in PEM is. */
export interface PemKeyInit {
  /** PKCS #8, SEC 1, PKCS #1; something else may be there too. */
  readonly file: string
  /** As `pemIdentity` has it. */
  readonly password?: Password | undefined
}

/**
 * Opens a private key in a PEM file, whose certificate is not known or does not matter. It is read once.
 *
 * @throws {TypeError} on wrong options.
 * @throws {RolesAnywhereError} `ERR_RA_FILE`, `ERR_RA_KEY`, `ERR_RA_PASSWORD`
 */
export async function openPemKey({ file, password }: PemKeyInit): Promise<LoneKey> {
  if (file === undefined) throw new TypeError('"file" is missing')
  assertPaths({ file })
  const keeper = keepPassword(password)
  const { octets } = await readWholeFile(file)
  try {
    const key = await readPemPrivateKey({ from: file, value: octets }, keeper)
    await assertSigns({ from: file, value: key }, key.publicKey)
    return loneKey(key)
  } finally {
    octets.fill(0)
    keeper.wipe()
  }
}
