/** What the emulator refuses with, and its HTTP status. Names as in the service's model, and AWS's common errors. */
const STATUS = {
  AccessDeniedException: 403,
  ResourceNotFoundException: 404,
  ValidationException: 400,
  MissingAuthenticationTokenException: 403,
  IncompleteSignatureException: 400,
  UnsupportedMediaTypeException: 415,
  UnknownOperationException: 404,
  RequestEntityTooLargeException: 413,
} as const

/** A code the emulator refuses with. */
export type RolesAnywhereCode = keyof typeof STATUS

/** What the emulator throws to refuse a request: what the service would say, and what was wrong in truth. */
export class RolesAnywhereRefusal extends Error {
  override readonly name = 'RolesAnywhereRefusal'
  readonly code: RolesAnywhereCode
  /** HTTP status of the answer. */
  readonly status: number
  /** For the log alone. */
  readonly detail: string

  constructor(code: RolesAnywhereCode, message: string, detail = message) {
    super(message)
    this.code = code
    this.status = STATUS[code]
    this.detail = detail
  }
}

// The words of the service, as its users report them.

/** The signature, or what it was made over: clock, scope and algorithm too. The service does not say which. */
export const invalidSignature = (detail: string): RolesAnywhereRefusal =>
  new RolesAnywhereRefusal('AccessDeniedException', 'Invalid signature', detail)

/** No way from the certificate to the trust anchor. */
export const untrusted = (detail: string): RolesAnywhereRefusal =>
  new RolesAnywhereRefusal('AccessDeniedException', 'Untrusted signing certificate', detail)

/** A certificate that may not be used at all: version, usage, hash. */
export const insufficient = (detail: string): RolesAnywhereRefusal =>
  new RolesAnywhereRefusal('AccessDeniedException', 'Untrusted signing certificate. Insufficient certificate', detail)

/** Anything else that is not allowed. */
export const denied = (message: string, detail = message): RolesAnywhereRefusal =>
  new RolesAnywhereRefusal('AccessDeniedException', message, detail)

/** A parameter of the request. */
export const invalid = (message: string): RolesAnywhereRefusal =>
  new RolesAnywhereRefusal('ValidationException', message)
