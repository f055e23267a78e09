export {
  type AwsKmsClient,
  type AwsKmsCredentials,
  type AwsKmsUnwrapperInit,
  awsKmsUnwrapper,
} from './aws-kms-unwrapper.ts'
export { type Envelope, formatEnvelope, parseEnvelope } from './envelope.ts'
export { type GoogleKmsClient, type GoogleKmsUnwrapperInit, googleKmsUnwrapper } from './google-kms-unwrapper.ts'
export { type ImportVaultKeyInit, importVaultKey } from './import-vault-key.ts'
export type { CachePolicy } from './internal/secret-use.ts'
export type { KeyUnwrapper, KeyWrapper } from './key-unwrapper.ts'
export { type OpenTinkHmacInit, openTinkHmac } from './open-tink-hmac.ts'
export { type OpenVaultHmacInit, openVaultHmac } from './open-vault-hmac.ts'
export { type OpenWrappedHmacInit, openWrappedHmac } from './open-wrapped-hmac.ts'
export { type TinkKekOptions, tinkKekUnwrapper } from './tink-kek-unwrapper.ts'
export type { VaultAuth } from './vault-auth.ts'
export { type WrapSecretInit, wrapSecret } from './wrap-secret.ts'
