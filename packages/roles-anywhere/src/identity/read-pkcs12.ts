import type { Pkcs12Contents, Pkcs12ErrorCode } from '@hardbound/pkcs12'
import { RolesAnywhereError, type RolesAnywhereErrorCode } from '../errors.ts'
import type { Named } from './make-identity.ts'

/**
 * Opens a PKCS #12 file, in 15 seconds at most.
 *
 * @param password May be empty.
 * @param maxTimeMs It gives up then.
 * @throws {RolesAnywhereError} `ERR_RA_PASSWORD`, `ERR_RA_KEY`, by name of the file.
 */
export async function readPkcs12(
  { from, value }: Named<Uint8Array>,
  password: Uint8Array,
  maxTimeMs: number = 15_000,
): Promise<Pkcs12Contents> {
  const library = await import('@hardbound/pkcs12')
  try {
    return await library.readPkcs12(value, password, { maxTimeMs })
  } catch (error) {
    if (!(error instanceof library.Pkcs12Error)) throw error
    const [code, message] = meaning(from, password.length === 0)[error.code]
    throw new RolesAnywhereError(code, message)
  }
}

const meaning = (
  from: string,
  noneGiven: boolean,
): Readonly<Record<Pkcs12ErrorCode, readonly [RolesAnywhereErrorCode, string]>> => ({
  ERR_PKCS12_SIZE: ['ERR_RA_KEY', `${from} has more than 1048576 octets`],
  ERR_PKCS12_FORMAT: [
    'ERR_RA_KEY',
    `${from} is no PKCS #12 file with a password for its integrity and algorithms that are known here: export it by openssl pkcs12 -export`,
  ],
  ERR_PKCS12_PASSWORD: [
    'ERR_RA_PASSWORD',
    `${from} ${noneGiven ? 'has a password, and none was given' : 'has another password than was given'}`,
  ],
  ERR_PKCS12_PASSWORD_CHARACTERS: [
    'ERR_RA_PASSWORD',
    `the password of ${from} has other characters than ASCII: export it with another`,
  ],
  ERR_PKCS12_TIME: ['ERR_RA_KEY', `${from} takes too long to open: export it with fewer iterations (-iter)`],
})
