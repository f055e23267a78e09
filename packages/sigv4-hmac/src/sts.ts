// STS alone, for those that want a session rather than a provider of sessions.
export { type StsEndpoint, type StsEndpointInit, stsEndpoint } from './aws-endpoint.ts'
export { createStsClient, type StsClient, type StsClientInit } from './sts-client.ts'
export { StsError, type StsErrorCode } from './sts-error.ts'
export type {
  AssumeRoleInput,
  GetSessionTokenInput,
  StsMfa,
  StsPolicyArn,
  StsProvidedContext,
  StsTag,
} from './sts-input.ts'
export type { StsSession } from './sts-session.ts'
