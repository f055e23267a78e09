export { type AwsCall, startAws, type TestAws } from './aws.ts'
export { debugClaims, productionClaims, type WorkloadClaims } from './claims.ts'
export { startConnectProxy, type TestConnectProxy } from './connect-proxy.ts'
export { type AwsErrorCode, AwsRefusal } from './errors.ts'
export {
  type IssuerKey,
  type SignOptions,
  startIssuer,
  type TestIssuer,
  type TokenOptions,
  type TokenType,
} from './issuer.ts'
export { type LauncherOptions, startLauncher, type TestLauncher } from './launcher.ts'
export { createTestPki, type IssuedCertificate, type IssueOptions, type TestPki } from './pki.ts'
export { type RelayOptions, startRelay, type TestRelay } from './relay.ts'
export { type SignedHttpRequest, type SigV4Expectations, type SigV4Key, verifySigV4 } from './sigv4-verify.ts'
export { startTlsFront, type TestTlsFront } from './tls-front.ts'
