import type { AssumeRoleInput, GetSessionTokenInput, StsMfa } from '../sts-input.ts'
import { type Check, list, record, text, whole } from './checks.ts'

// Bounds and patterns: AWS STS API Reference, AssumeRole and GetSessionToken, "Request Parameters". None lets CR, LF or NUL in,
// but for Policy, where JSON may have line ends.
const ROLE_ARN = /^arn:(aws[a-z-]{0,20}):iam::(\d{12}):role\/(?:[\x21-\x7e]{1,510}\/)?([\w+=,.@-]{1,64})$/
const NAME = text(/^[\w+=,.@-]{2,64}$/, '2 to 64 characters of A-Z, a-z, 0-9 and _+=,.@-')
const TAG_KEY = text(/^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/iu, 'a tag key: 1 to 128 characters, not aws:…')
const TAG_VALUE = text(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u, 'a tag value: at most 256 characters')
const POLICY_ARN = text(
  /^arn:aws[a-z-]{0,20}:iam::(?:\d{12}|aws):policy\/[\x21-\x7e]{1,639}$/,
  'the ARN of a managed policy',
)
const PROVIDER_ARN = text(/^arn:[\x21-\x7e]{16,2044}$/, 'an ARN')
const TOKEN_SIZE = whole(0, 4096)

const policyText = text(/^[\t\n\r\u0020-\u00ff]{1,2048}$/, 'JSON of at most 2048 characters, U+0020 to U+00FF')
const policy: Check<string> = (value, field) => {
  const checked = policyText(value, field)
  if (!isJsonObject(checked)) throw new TypeError(`"${field}" must be a JSON object`)
  return checked
}

/** Either both or none, as {@link assertMfa} sees to. */
const MFA = {
  SerialNumber: text(/^[\w+=/:,.@-]{9,256}$/, 'the serial number or ARN of an MFA device'),
  TokenCode: text(/^\d{6}$/, 'six digits'),
}

type Flat<T> = { -readonly [K in keyof Omit<T, keyof StsMfa>]: T[K] } & { SerialNumber?: string; TokenCode?: string }

const assumeRole = record<Flat<AssumeRoleInput>>(
  {
    RoleArn: text(ROLE_ARN, 'the ARN of an IAM role'),
    RoleSessionName: NAME,
    PolicyArns: list(record({ arn: POLICY_ARN }, ['arn']), 10),
    Policy: policy,
    DurationSeconds: whole(900, 43_200),
    Tags: list(record({ Key: TAG_KEY, Value: TAG_VALUE }, ['Key', 'Value']), 50),
    TransitiveTagKeys: list(TAG_KEY, 50),
    ExternalId: text(/^[\w+=,.@:/-]{2,1224}$/, '2 to 1224 characters of A-Z, a-z, 0-9 and _+=,.@:/-'),
    ...MFA,
    SourceIdentity: NAME,
    ProvidedContexts: list(
      record(
        { ProviderArn: PROVIDER_ARN, ContextAssertion: text(/^[^\p{Cc}\p{Cs}]{4,2048}$/u, '4 to 2048 characters') },
        ['ProviderArn', 'ContextAssertion'],
      ),
      5,
    ),
    MinimumSessionTokenSize: TOKEN_SIZE,
  },
  ['RoleArn'],
)

const getSessionToken = record<Flat<GetSessionTokenInput>>(
  { DurationSeconds: whole(900, 129_600), ...MFA, MinimumSessionTokenSize: TOKEN_SIZE },
  [],
)

/** @returns A copy. @throws {TypeError | RangeError} that names the field. */
export function checkAssumeRole(
  input: AssumeRoleInput,
  accessKeyId: string,
): AssumeRoleInput & { RoleSessionName: string } {
  const { RoleSessionName = `hardbound-${accessKeyId}`.slice(0, 64), ...rest } = assumeRole(input, 'assumeRole')
  const { Tags = [], TransitiveTagKeys = [] } = rest
  assertMfa(rest, 'assumeRole')
  assertDistinct(
    Tags.map(({ Key }) => Key),
    'assumeRole.Tags',
  )
  assertDistinct(TransitiveTagKeys, 'assumeRole.TransitiveTagKeys')
  if (!TransitiveTagKeys.every((key) => Tags.some(({ Key }) => Key === key))) {
    throw new TypeError('"assumeRole.TransitiveTagKeys" must be keys of "assumeRole.Tags"')
  }
  return { ...rest, RoleSessionName }
}

/** @returns A copy. @throws {TypeError | RangeError} that names the field. */
export function checkGetSessionToken(input: GetSessionTokenInput): GetSessionTokenInput {
  const checked = getSessionToken(input, 'getSessionToken')
  assertMfa(checked, 'getSessionToken')
  return checked
}

/** What the ARN of a role says. */
export function partsOfRole(arn: string): { partition: string; account: string; name: string } {
  const [, partition = '', account = '', name = ''] = ROLE_ARN.exec(arn) ?? []
  return { partition, account, name }
}

function assertMfa(input: { SerialNumber?: string; TokenCode?: string }, field: string): void {
  if ((input.SerialNumber === undefined) === (input.TokenCode === undefined)) return
  throw new TypeError(`"${field}" needs both of "SerialNumber" and "TokenCode", or neither`)
}

/** AWS does not tell upper from lower case here. */
function assertDistinct(keys: readonly string[], field: string): void {
  if (new Set(keys.map((key) => key.toLowerCase())).size < keys.length) {
    throw new TypeError(`"${field}" must have keys that differ in more than case`)
  }
}

function isJsonObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
