// All commands, one line each, in the order of Part 3.

export { type CreateInit, create, type WrappedObject } from './commands/create.ts'
export { type CreatePrimaryInit, createPrimary, type LoadedObject } from './commands/create-primary.ts'
export { type DuplicateKeyInit, duplicateKey } from './commands/duplicate-key.ts'
export { type EvictControlInit, evictControl } from './commands/evict-control.ts'
export { flushContext } from './commands/flush-context.ts'
export {
  type Capability,
  type GetCapabilityInit,
  getCapability,
  type TpmProperty,
  tpmProperty,
} from './commands/get-capability.ts'
export { type HmacInit, hmac } from './commands/hmac.ts'
export { hmacSequence } from './commands/hmac-sequence.ts'
export { type ImportKeyInit, importKey } from './commands/import-key.ts'
export { type LoadInit, load } from './commands/load.ts'
export { loadExternal } from './commands/load-external.ts'
export { type PcrReadOptions, type PcrValue, pcrRead } from './commands/pcr-read.ts'
export { policyAuthValue } from './commands/policy-auth-value.ts'
export { policyCommandCode } from './commands/policy-command-code.ts'
export { type PolicyDuplicationSelectInit, policyDuplicationSelect } from './commands/policy-duplication-select.ts'
export { policyGetDigest } from './commands/policy-get-digest.ts'
export { type PolicyOrInit, policyOr } from './commands/policy-or.ts'
export { policyPassword } from './commands/policy-password.ts'
export { type PolicyPcrInit, policyPcr } from './commands/policy-pcr.ts'
export { type PolicySecretInit, policySecret } from './commands/policy-secret.ts'
export { type ReadPublicInit, type ReadPublicResult, readPublic } from './commands/read-public.ts'
export { type SignInit, sign } from './commands/sign.ts'
export { type StartAuthSessionInit, startAuthSession } from './commands/start-auth-session.ts'
export { startup } from './commands/startup.ts'
export { unseal } from './commands/unseal.ts'
// Key material from outside.
export {
  type HmacKeyTemplateInit,
  hmacKeyTemplate,
  type WrapHmacKeyInit,
  type WrappedForImport,
  wrapHmacKey,
} from './duplicate.ts'
