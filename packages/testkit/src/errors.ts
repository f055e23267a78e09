/** All that the STS, S3 and DynamoDB emulators answer with, and its HTTP status. The same names as at AWS. */
const STATUS = {
  // both services
  AccessDenied: 403,
  SignatureDoesNotMatch: 403,
  InvalidAction: 400,
  // signature, STS names; S3 has its own, see s3.ts
  MissingAuthenticationToken: 403,
  IncompleteSignature: 400,
  InvalidClientTokenId: 403,
  RequestExpired: 400,
  ExpiredToken: 403,
  // STS
  ValidationError: 400,
  MalformedPolicyDocument: 400,
  PackedPolicyTooLarge: 400,
  InvalidParameterValue: 400,
  // S3
  AuthorizationHeaderMalformed: 400,
  InvalidAccessKeyId: 403,
  RequestTimeTooSkewed: 403,
  XAmzContentSHA256Mismatch: 400,
  InvalidArgument: 400,
  MethodNotAllowed: 405,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NotImplemented: 501,
  // DynamoDB
  MissingAuthenticationTokenException: 400,
  IncompleteSignatureException: 400,
  InvalidSignatureException: 400,
  UnrecognizedClientException: 400,
  ExpiredTokenException: 400,
  UnknownOperationException: 400,
  SerializationException: 400,
  ValidationException: 400,
  AccessDeniedException: 400,
} as const

/** A code that AWS services answer with. */
export type AwsErrorCode = keyof typeof STATUS

/** What an emulator throws to refuse a request. Messages name parameters; never a secret, a token or a signature. */
export class AwsRefusal extends Error {
  override readonly name = 'AwsRefusal'
  readonly code: AwsErrorCode
  /** HTTP status of the answer. */
  readonly status: number

  constructor(code: AwsErrorCode, message: string, status: number = STATUS[code]) {
    super(message)
    this.code = code
    this.status = status
  }
}
