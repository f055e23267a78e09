// Vault alone, for bundles: nothing here ever loads a cloud SDK.
export { type ImportVaultKeyInit, importVaultKey } from './import-vault-key.ts'
export { type OpenVaultHmacInit, openVaultHmac, type VaultConnectionInit } from './open-vault-hmac.ts'
export type { VaultAuth } from './vault-auth.ts'
