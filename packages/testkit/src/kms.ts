export { type AwsKmsCall, type AwsKmsKeyState, startAwsKms, type TestAwsKms } from './kms/aws-kms.ts'
export { type GoogleKeyState, startGoogleKms, type TestGoogleKms } from './kms/google-kms.ts'
export { startVault, type TestVault, type VaultCall, type VaultOptions } from './kms/vault.ts'
