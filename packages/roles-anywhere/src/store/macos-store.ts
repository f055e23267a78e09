import type { CertificateStore } from './certificate-store.ts'
import { type Koffi, loadKoffi } from './native/koffi.ts'
import { macosCalls } from './native/macos-calls.ts'
import { nativeStore } from './native/native-store.ts'

/** How to reach the keychains of macOS. */
export interface MacosStoreInit {
  /** The package koffi, where `import` can't find it. */
  readonly koffi?: Koffi | undefined
}

/** Makes a store of the identities in the keychains on the search list. What it returns throws {@link RolesAnywhereError}. */
export function macosStore({ koffi }: MacosStoreInit = {}): CertificateStore {
  return nativeStore('macos', async () => macosCalls(koffi ?? (await loadKoffi())))
}
