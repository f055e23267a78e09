// Vault alone, for bundles: nothing here ever loads a cloud SDK.
export { type ImportVaultKeyInit, importVaultKey } from './import-vault-key.ts'
export type { VaultConnectionInit } from './internal/connect-vault.ts'
export { type OpenVaultHmacInit, openVaultHmac } from './open-vault-hmac.ts'
export type { VaultAuth } from './vault-auth.ts'
