export type { AttestationVerifier } from '@hardbound/attestation-verify'
export { createAwsIssuer } from './aws-issuer.ts'
export { type Broker, type BrokerInit, createBroker, type GrantCall, type GrantOutcome } from './broker.ts'
export { BROKER_STATUS, BrokerError, type BrokerErrorCode } from './errors.ts'
export { createFileAuditSink } from './file-audit-sink.ts'
export { type BrokerLimits, DEFAULT_LIMITS } from './http/limits.ts'
export { type BrokerServer, type BrokerServerInit, type BrokerTls, createBrokerServer } from './http/server.ts'
export { compilePolicy, loadPolicy } from './policy/load-policy.ts'
export { PolicyError } from './policy/policy-error.ts'
export type {
  AuditRecord,
  AuditSink,
  AwsGrant,
  CredentialIssuer,
  CredentialRequest,
  Grant,
  IssuedCredential,
  Peer,
  Policy,
  PolicyDecision,
  PolicyInput,
  Protocol,
} from './types.ts'
export { verifyAuditFile } from './verify-audit-file.ts'
