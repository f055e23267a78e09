// A private key of a token, for signing; and the certificates that lie there.
export { type OpenPkcs11SigningKeyInit, openPkcs11SigningKey, type Pkcs11SigningKey } from './open-signing-key.ts'
export { type Pkcs11Certificate, readCertificates } from './read-certificates.ts'
export type { SignatureScheme, SigningKey } from './signature-scheme.ts'
