export type {
  AttestationExpectations,
  AttestationVerifier,
  CheckOutcome,
  VerifiedAttestation,
} from './attestation-verifier.ts'
export {
  type AzureAttestationInstance,
  type AzureAttestationVerifierInit,
  createAzureAttestationVerifier,
} from './azure-verifier.ts'
export { createAttestationVerifiers, peekIssuer } from './choose-verifier.ts'
export type { AttestationClaims, ConfidentialSpaceClaims, ImageSignature, SevSnpClaims, TdxClaims } from './claims.ts'
export { decodeUnverified, type UnverifiedToken } from './decode-unverified.ts'
export { GOOGLE_JWKS_URL, GOOGLE_ROOT_SHA256, INTEL_JWKS_URL } from './defaults.ts'
export { type AttestationCheck, AttestationError, type AttestationErrorCode } from './errors.ts'
export { createGooglePkiVerifier, type GooglePkiVerifierInit } from './google-pki-verifier.ts'
export { createGoogleVerifier, type GoogleVerifierInit } from './google-verifier.ts'
export { createIntelVerifier, type IntelVerifierInit } from './intel-verifier.ts'
export type { GoogleBaselineInit } from './internal/google-baseline.ts'
export type { KeySource, VerificationKey } from './key-source.ts'
export { createRemoteKeySet, type KeySetAlarm, type RemoteKeySetInit } from './remote-key-set.ts'
export { createStaticKeySet } from './static-key-set.ts'
export type { JsonObject, JsonValue } from './strict-json.ts'
