export type { AttestationVerifier } from '@hardbound/attestation-verify'
export { type AwsIssuer, type AwsIssuerInit, createAwsIssuer } from './aws-issuer.ts'
export type { AzureApplication, AzureCloud } from './azure-application.ts'
export { type ClientCertificateInit, clientCertificate } from './azure-client-certificate.ts'
export { AzureCredentialError, type AzureCredentialErrorCode } from './azure-credential-error.ts'
export {
  type AssertionAlg,
  type AssertionKey,
  type AzureCertificateCredential,
  type AzureClientCredential,
  type AzureFederatedCredential,
  type AzureSecretCredential,
  clientSecretFile,
  federatedTokenFile,
} from './azure-credentials.ts'
export { type AzureIssuer, type AzureIssuerInit, createAzureIssuer } from './azure-issuer.ts'
export { type Broker, type BrokerInit, createBroker, type GrantCall, type GrantOutcome } from './broker.ts'
export { type ClientAssertionInit, signClientAssertion } from './client-assertion.ts'
export { BROKER_STATUS, BrokerError, type BrokerErrorCode } from './errors.ts'
export { createFileAuditSink, type FileAuditSinkInit } from './file-audit-sink.ts'
export { type BrokerLimits, DEFAULT_LIMITS } from './http/limits.ts'
export { type BrokerServer, type BrokerServerInit, type BrokerTls, createBrokerServer } from './http/server.ts'
export { compilePolicy, loadPolicy } from './policy/load-policy.ts'
export { PolicyError, type PolicyErrorCode } from './policy/policy-error.ts'
export { policyJsonSchema } from './policy/schema.ts'
export { parseStrictYaml } from './policy/yaml.ts'
export type {
  AuditRecord,
  AuditSink,
  AwsGrant,
  AzureGrant,
  ConditionOutcome,
  CredentialIssuer,
  CredentialRequest,
  Grant,
  IssuedCredential,
  OtherGrant,
  Peer,
  Policy,
  PolicyDecision,
  PolicyInput,
  Protocol,
} from './types.ts'
export { verifyAuditFile } from './verify-audit-file.ts'
