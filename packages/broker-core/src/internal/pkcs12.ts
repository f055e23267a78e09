import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { type Pkcs12Contents, Pkcs12Error, type Pkcs12ErrorCode, readPkcs12 } from '@hardbound/pkcs12'
import { AzureCredentialError } from '../azure-credential-error.ts'

/** Milliseconds. Enough for the 600,000 iterations that some tools write, which take 30 s. */
const MAX_TIME_MS = 60_000

/**
 * Opens a PKCS #12 file with one private key.
 *
 * @param maxTimeMs It gives up then.
 * @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_FORMAT`, `ERR_AZURE_CREDENTIAL_PASSWORD`.
 */
export async function openPkcs12(
  pfx: Uint8Array,
  password: string,
  maxTimeMs: number = MAX_TIME_MS,
): Promise<{ privateKey: KeyObject; certificates: X509Certificate[] }> {
  const { keys, certificates } = await read(pfx, password, maxTimeMs)
  try {
    const [key, second] = keys
    if (key === undefined || second !== undefined) throw malformed('there must be one private key')
    return {
      privateKey: createPrivateKey({ key: key.der, format: 'der', type: 'pkcs8' }),
      certificates: certificates.map(({ der }) => new X509Certificate(der)),
    }
  } catch (error) {
    if (error instanceof AzureCredentialError) throw error
    throw malformed('its key or a certificate can not be read')
  } finally {
    for (const { der } of keys) der.fill(0)
  }
}

async function read(pfx: Uint8Array, password: string, maxTimeMs: number): Promise<Pkcs12Contents> {
  try {
    return await readPkcs12(pfx, password, { maxTimeMs })
  } catch (error) {
    throw error instanceof Pkcs12Error ? ERRORS[error.code]() : error
  }
}

const malformed = (why: string) => new AzureCredentialError('ERR_AZURE_CREDENTIAL_FORMAT', `the PKCS #12 file: ${why}`)
const wrongPassword = (why: string) =>
  new AzureCredentialError('ERR_AZURE_CREDENTIAL_PASSWORD', `the password of the PKCS #12 file ${why}`)

const ERRORS: Readonly<Record<Pkcs12ErrorCode, () => AzureCredentialError>> = {
  ERR_PKCS12_SIZE: () => malformed('more than 1048576 octets'),
  ERR_PKCS12_FORMAT: () => malformed('it is not one in password integrity mode with algorithms that are known here'),
  ERR_PKCS12_PASSWORD: () => wrongPassword('is wrong'),
  ERR_PKCS12_PASSWORD_CHARACTERS: () => wrongPassword('must be ASCII'),
  ERR_PKCS12_TIME: () => malformed('it takes too long: make it with fewer iterations'),
}
