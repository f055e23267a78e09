export { type ImportedPkcs11HmacKey, type ImportPkcs11HmacKeyInit, importPkcs11HmacKey } from './import-key.ts'
export { listPkcs11HmacKeys, type Pkcs11HmacKeyInfo } from './list-keys.ts'
export { type OpenPkcs11HmacInit, openPkcs11Hmac } from './open-pkcs11-hmac.ts'
