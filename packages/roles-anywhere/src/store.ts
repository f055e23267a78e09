// Stores with several certificates and their keys, and selectors that say which one is meant.
export {
  type CertificateDetails,
  readCertificateDetails,
} from './selector/certificate-details.ts'
export { type CertificateSelector, isSelectorKey, type SelectorKey } from './selector/certificate-selector.ts'
export { goNameText } from './selector/go-name.ts'
export type { Name, NameAttribute } from './selector/name.ts'
export { parseCertificateSelector } from './selector/parse-selector.ts'
export { parseSelectorJson, readCertificateSelector } from './selector/read-selector.ts'
export {
  type HasCertificate,
  type Match,
  matchingCertificates,
  type SelectCertificateOptions,
  selectCertificate,
} from './selector/select-certificate.ts'
export type { CertificateStore, StoredCertificate } from './store/certificate-store.ts'
export { type MacosStoreInit, macosStore } from './store/macos-store.ts'
export type { Koffi } from './store/native/koffi.ts'
export { type PemFolderStoreInit, pemFolderStore } from './store/pem-folder.ts'
export { type Pkcs11StoreInit, pkcs11Store } from './store/pkcs11-store.ts'
export { type Pkcs12StoreInit, pkcs12Store } from './store/pkcs12-store.ts'
export { type SelectedIdentityInit, selectedIdentity } from './store/selected-identity.ts'
export { type SystemStoreInit, systemStore } from './store/system-store.ts'
export { type WindowsStoreInit, windowsStore } from './store/windows-store.ts'
