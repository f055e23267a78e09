import type { CertificateStore } from './certificate-store.ts'
import { type Koffi, loadKoffi } from './native/koffi.ts'
import { nativeStore } from './native/native-store.ts'
import { type WindowsPlace, windowsCalls } from './native/windows-calls.ts'

const KNOWN = ['MY', 'Root', 'Trust', 'CA']

/** Which store of Windows. */
export interface WindowsStoreInit {
  /** Default: `MY`, "Personal". */
  readonly storeName?: string | undefined
  /** Default: `current-user`. */
  readonly location?: WindowsPlace['location'] | undefined
  /** The package koffi, where `import` can't find it. */
  readonly koffi?: Koffi | undefined
}

/**
 * Makes a store of one of Windows. Keys are used through CNG; keys of older providers can't be used.
 *
 * @throws {TypeError} on wrong options. What it returns throws {@link RolesAnywhereError}.
 */
export function windowsStore({
  storeName = 'MY',
  location = 'current-user',
  koffi,
}: WindowsStoreInit = {}): CertificateStore {
  if (location !== 'current-user' && location !== 'local-machine') {
    throw new TypeError('"location" must be current-user or local-machine')
  }
  if (storeName === '' || storeName.includes('\0')) throw new TypeError('"storeName" must be the name of a store')
  const known = KNOWN.find((it) => it.toLowerCase() === storeName.toLowerCase()) ?? storeName
  return nativeStore('windows', async () => windowsCalls(koffi ?? (await loadKoffi()), { location, storeName: known }))
}
