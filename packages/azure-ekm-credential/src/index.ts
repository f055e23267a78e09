export type { AttestationSource, BrokerRefusal, ConfidentialSpaceLauncherInit } from '@hardbound/ekm-tls/client'
export { confidentialSpaceLauncher } from '@hardbound/ekm-tls/client'
export { EkmCredential, type EkmCredentialInit } from './ekm-credential.ts'
export { EkmCredentialError, type EkmCredentialErrorCode } from './errors.ts'
