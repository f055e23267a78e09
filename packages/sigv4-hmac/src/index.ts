export {
  createHmacSigner,
  type HmacSigner,
  type HmacSignerInit,
  type PresignOptions,
  type SignableRequest,
  type SignOptions,
} from './create-hmac-signer.ts'
export { SigV4Error, type SigV4ErrorCode } from './errors.ts'
export { type FromHmacInit, fromHmac } from './from-hmac.ts'
export type { HmacBackend } from './hmac-backend.ts'
export { HmacBackendError, type HmacBackendErrorCode } from './hmac-backend-error.ts'
export {
  hardwareCredentials,
  hmacSignerConstructor,
  type SdkSigner,
  type SdkSignerInit,
} from './hmac-signer-constructor.ts'
export { type SoftwareHmacInit, softwareHmac } from './software-backend.ts'
export { StsError, type StsErrorCode } from './sts-error.ts'
export type { AssumeRoleInput, GetSessionTokenInput } from './sts-input.ts'
