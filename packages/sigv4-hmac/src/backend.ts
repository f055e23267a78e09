// What backends need, without what signs.
export type { HmacBackend } from './hmac-backend.ts'
export { HmacBackendError, type HmacBackendErrorCode } from './hmac-backend-error.ts'
export { assertKnownAnswer, checkKnownAnswer, knownAnswer } from './known-answer.ts'
export { forgetSigningKeys } from './signing-keys.ts'
