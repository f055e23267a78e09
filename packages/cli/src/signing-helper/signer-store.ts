import type { X509IdentitySource } from '@hardbound/roles-anywhere'
import {
  type CertificateSelector,
  type CertificateStore,
  readCertificateSelector,
  selectedIdentity,
  systemStore,
} from '@hardbound/roles-anywhere/store'
import { CliError } from '../cli-error.ts'
import type { OnHelperWarning, SignerFlags } from './types.ts'

/** Flags that name a certificate of the system's store. */
type StoreFlags = Pick<SignerFlags, 'cert-selector' | 'system-store-name'>

/** Certificate and key in the store of Windows or macOS. */
export async function storeSigner(
  flags: SignerFlags,
  onWarning: OnHelperWarning,
  platform: NodeJS.Platform = process.platform,
): Promise<X509IdentitySource> {
  const { store, selector } = await storeOf(flags, platform)
  return selectedIdentity({ store, selector, useLatestExpiring: flags['use-latest-expiring-certificate'], onWarning })
}

/**
 * The selector, which is read first, and the store.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`, `ERR_RA_FILE`
 * @throws {CliError} on systems that have no store.
 */
export async function storeOf(
  { 'cert-selector': text, 'system-store-name': storeName }: StoreFlags,
  platform: NodeJS.Platform = process.platform,
): Promise<{ store: CertificateStore; selector: CertificateSelector }> {
  const selector = text === '' ? {} : await readCertificateSelector(text)
  if (platform === 'win32' || platform === 'darwin') return { store: systemStore({ storeName, platform }), selector }
  throw new CliError(
    `unable to use cert store signer on ${platform}: there is no such store here; --certificate is missing`,
  )
}
