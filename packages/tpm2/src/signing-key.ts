// Keys that sign, for X.509 identities.
export { type OpenTpmSigningKeyInit, openTpmSigningKey, type TpmSigningKey } from './signing/open-tpm-signing-key.ts'
export type { SignatureScheme, SigningKey } from './signing/signing-key.ts'
