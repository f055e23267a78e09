import { listIdentities, readCertificateData } from '@hardbound/roles-anywhere/certificate-data'
import { matchingCertificates } from '@hardbound/roles-anywhere/store'
import { storeOf } from './signer-store.ts'
import type { ReadCertificateDataFlags } from './types.ts'

/**
 * Reads what `read-certificate-data` shows: of a file JSON, of a token or a store a listing.
 *
 * @returns What goes to stdout: no line feed is to follow.
 * @throws {CliError} or {RolesAnywhereError}
 */
export async function readCertificateDataText(flags: ReadCertificateDataFlags): Promise<string> {
  const { certificate } = flags
  if (certificate.startsWith('pkcs11:'))
    return (await import('./list-token-certificates.ts')).listTokenCertificates(flags)
  if (certificate !== '') return JSON.stringify(await readCertificateData(certificate))
  const { store, selector } = await storeOf(flags)
  try {
    return listIdentities(matchingCertificates(await store.list(), selector))
  } finally {
    await store.close()
  }
}
