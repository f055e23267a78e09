import { type AwsErrorCode, AwsRefusal } from './errors.ts'
import type { Principal } from './internal/accounts.ts'
import { policiesAllow } from './internal/session-policy.ts'

const TARGET = 'DynamoDB_20120810.ListTables'
const MAX_TABLES = 100

/**
 * Answers the one operation that the emulator has, whose signature has been verified: `ListTables`.
 *
 * @param target The `X-Amz-Target` header.
 * @returns The JSON of a 200.
 * @throws {AwsRefusal} `UnknownOperationException`, `SerializationException`, `ValidationException`, `AccessDeniedException`.
 */
export function answerDynamoDb(
  target: string,
  body: Uint8Array,
  o: { caller: Principal; tables: ReadonlySet<string>; sourceIp: string },
): string {
  if (target !== TARGET) throw new AwsRefusal('UnknownOperationException', 'The emulator has ListTables alone')
  const policies = o.caller.session?.policies ?? []
  if (!policiesAllow(policies, { action: 'dynamodb:ListTables', resource: '*', sourceIp: o.sourceIp })) {
    throw new AwsRefusal('AccessDeniedException', 'not authorized to perform: dynamodb:ListTables')
  }
  const { Limit = MAX_TABLES, ExclusiveStartTableName = '', ...unknown } = inputOf(body)
  const limit = Number.isInteger(Limit) ? Number(Limit) : 0
  if (
    limit < 1 ||
    limit > MAX_TABLES ||
    typeof ExclusiveStartTableName !== 'string' ||
    Object.keys(unknown).length > 0
  ) {
    throw new AwsRefusal('ValidationException', 'One or more parameter values were invalid')
  }
  const rest = [...o.tables].sort().filter((name) => name > ExclusiveStartTableName)
  const page = rest.slice(0, limit)
  return JSON.stringify({ TableNames: page, ...(page.length < rest.length && { LastEvaluatedTableName: page.at(-1) }) })
}

/** The JSON of a refusal. */
export const dynamoDbError = ({ code, message }: AwsRefusal): string =>
  JSON.stringify({ __type: `com.amazon.coral.service#${code}`, message })

/** JSON services have their own names for what is wrong with a signature, and 400 for all of it. */
export function dynamoDbRefusal({ code, message }: AwsRefusal): AwsRefusal {
  return new AwsRefusal(CODES[code] ?? code, message, 400)
}

const CODES: Partial<Record<AwsErrorCode, AwsErrorCode>> = {
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  IncompleteSignature: 'IncompleteSignatureException',
  SignatureDoesNotMatch: 'InvalidSignatureException',
  RequestExpired: 'InvalidSignatureException',
  InvalidClientTokenId: 'UnrecognizedClientException',
  ExpiredToken: 'ExpiredTokenException',
}

function inputOf(body: Uint8Array): Record<string, unknown> {
  try {
    const input = JSON.parse(Buffer.from(body).toString()) as unknown
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as Record<string, unknown>
  } catch {}
  throw new AwsRefusal('SerializationException', 'The body is not a JSON object')
}
