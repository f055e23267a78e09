export type {
  KeyAuthOptions,
  ParentOptions,
  PcrSelection,
  SaltKey,
  SessionEncryption,
  TpmOptions,
} from '@hardbound/tpm2/keys'
export { parsePcrs } from '@hardbound/tpm2/keys'
export { type ImportedTpmHmacKey, type ImportTpmHmacKeyInit, importTpmHmacKey } from './import-tpm-hmac-key.ts'
export { type OpenTpmHmacInit, openTpmHmac } from './open-tpm-hmac.ts'
export { readTpmKeyName } from './read-tpm-key-name.ts'
