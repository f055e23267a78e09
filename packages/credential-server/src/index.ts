export { createCredentialServer } from './credential-server.ts'
export { CredentialServerError, type CredentialServerErrorCode } from './errors.ts'
export type {
  AzureInit,
  CredentialServer,
  CredentialServerEvent,
  CredentialServerInit,
  RefusalReason,
  ServerAddress,
  ServerLimits,
} from './types.ts'
