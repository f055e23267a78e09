export { createCredentialServer } from './credential-server.ts'
export { CredentialServerError, type CredentialServerErrorCode } from './errors.ts'
export type {
  AwsContainerInit,
  AwsInit,
  AwsSessionProvider,
  AzureInit,
  CredentialServer,
  CredentialServerEvent,
  CredentialServerInit,
  RefusalReason,
  RoleHealth,
  ServerAddress,
  ServerLimits,
} from './types.ts'
