import { RolesAnywhereError } from '../errors.ts'
import type { CertificateStore } from './certificate-store.ts'
import { macosStore } from './macos-store.ts'
import { type WindowsStoreInit, windowsStore } from './windows-store.ts'

/** Which store of the system; all but `koffi` is for Windows, and left alone elsewhere. */
export interface SystemStoreInit extends WindowsStoreInit {
  /** Default: `process.platform`. */
  readonly platform?: NodeJS.Platform | undefined
}

/**
 * Makes the certificate store that the system has: that of Windows, or the keychains of macOS.
 *
 * @throws {RolesAnywhereError} `ERR_RA_STORE` on systems that have none.
 */
export function systemStore({ platform = process.platform, ...init }: SystemStoreInit = {}): CertificateStore {
  if (platform === 'win32') return windowsStore(init)
  if (platform === 'darwin') return macosStore(init)
  throw new RolesAnywhereError(
    'ERR_RA_STORE',
    `unable to use cert store signer on ${platform}, which has no certificate store: name a certificate, or a folder, PKCS #12 file or token`,
  )
}
