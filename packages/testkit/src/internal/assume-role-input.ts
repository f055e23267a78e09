import { deflateRawSync } from 'node:zlib'
import { AwsRefusal } from '../errors.ts'
import type { Tag } from './accounts.ts'

/** A checked AssumeRole request. */
export interface AssumeRoleInput {
  readonly roleArn: string
  readonly roleSessionName: string
  readonly durationSeconds: number
  readonly externalId: string | undefined
  readonly policy: string | undefined
  readonly tags: readonly Tag[]
  readonly transitiveTagKeys: readonly string[]
  readonly sourceIdentity: string | undefined
  /** ARNs of managed policies. */
  readonly policyArns: readonly string[]
  /** `ProviderArn ContextAssertion` */
  readonly contexts: readonly string[]
  readonly minTokenOctets: number
  /** Percent of what AWS allows for policy and tags together; `undefined` when neither was sent. */
  readonly packedPolicySize: number | undefined
}

type Params = Readonly<Record<string, string>>

// Bounds and patterns: AWS STS API Reference, AssumeRole, Request Parameters.
const ROLE_ARN = /^arn:(aws|aws-cn|aws-us-gov):iam::\d{12}:role\/[\w+=,.@/-]+$/
const NAME = /^[\w+=,.@-]{2,64}$/
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u
const POLICY_TEXT = /^[\t\n\r\u0020-\u00ff]{1,2048}$/
const MAX_TAGS = 50
const MAX_TAG_KEY = 128
const MAX_TAG_VALUE = 256
const MAX_SECONDS = 43_200
const POLICY_ARN = /^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/
const MAX_POLICY_ARNS = 10
const PROVIDER_ARN = /^arn:[\x21-\x7e]{16,2044}$/
const CONTEXT_ASSERTION = /^[\x20-\x7e]{4,2048}$/
const MAX_CONTEXTS = 5
const MAX_TOKEN_OCTETS = 4096
/** AWS packs policy and tags into a binary form it does not describe. Here: deflated, up to this many octets. */
const MAX_PACKED_OCTETS = 2048
const SCALARS =
  'RoleArn|RoleSessionName|DurationSeconds|ExternalId|Policy|SourceIdentity|SerialNumber|TokenCode|MinimumSessionTokenSize'
const LISTS = 'PolicyArns|Tags|TransitiveTagKeys|ProvidedContexts' // by themselves when empty
const MEMBERS = [
  'PolicyArns\\.member\\.\\d+\\.arn',
  'Tags\\.member\\.\\d+\\.(Key|Value)',
  'TransitiveTagKeys\\.member\\.\\d+',
  'ProvidedContexts\\.member\\.\\d+\\.(ProviderArn|ContextAssertion)',
]
const PARAMETER = new RegExp(`^(${[SCALARS, LISTS, ...MEMBERS].join('|')})$`)

/**
 * Checks what AWS checks before it looks at the role.
 *
 * @throws {AwsRefusal} `ValidationError`, `MalformedPolicyDocument`, `InvalidParameterValue`, `PackedPolicyTooLarge`.
 */
export function parseAssumeRole(params: Params, minSeconds: number): AssumeRoleInput {
  assertKnown(params, PARAMETER)
  const tags = parseTags(params)
  const policy = parsePolicy(params.Policy)
  return {
    roleArn: required(params, 'RoleArn', ROLE_ARN),
    roleSessionName: required(params, 'RoleSessionName', NAME),
    durationSeconds: parseDuration(params.DurationSeconds, { min: minSeconds, max: MAX_SECONDS, standard: 3600 }),
    externalId: optional(params, 'ExternalId', EXTERNAL_ID),
    policy,
    tags,
    transitiveTagKeys: parseTransitive(params, tags),
    sourceIdentity: parseSourceIdentity(params),
    policyArns: parsePolicyArns(params),
    contexts: parseContexts(params),
    minTokenOctets: parseTokenSize(params.MinimumSessionTokenSize),
    packedPolicySize: packedSize(policy, tags),
  }
}

/** A session length in seconds. */
export function parseDuration(text: string | undefined, o: { min: number; max: number; standard: number }): number {
  if (text === undefined) return o.standard
  const seconds = Number(text)
  if (!/^\d{1,6}$/.test(text) || seconds < o.min || seconds > o.max) throw invalid('DurationSeconds')
  return seconds
}

/** Refuses parameters that the emulator would have to ignore. */
export function assertKnown(params: Params, known: RegExp): void {
  const unknown = Object.keys(params).find((name) => !known.test(name))
  if (unknown !== undefined) throw new AwsRefusal('ValidationError', `Unexpected parameter '${unknown}'`)
}

function required(params: Params, name: string, pattern: RegExp): string {
  const value = optional(params, name, pattern)
  if (value === undefined) throw new AwsRefusal('ValidationError', `Value at '${name}' must not be null`)
  return value
}

function optional(params: Params, name: string, pattern: RegExp): string | undefined {
  const value = params[name]
  if (value !== undefined && !pattern.test(value)) throw invalid(name)
  return value
}

function parseSourceIdentity(params: Params): string | undefined {
  const value = optional(params, 'SourceIdentity', NAME)
  if (value?.toLowerCase().startsWith('aws:')) throw invalid('SourceIdentity')
  return value
}

function parsePolicy(policy: string | undefined): string | undefined {
  if (policy === undefined) return undefined
  if (!POLICY_TEXT.test(policy)) throw invalid('Policy')
  try {
    const document = JSON.parse(policy) as { Version?: unknown; Statement?: unknown } | null
    if (typeof document?.Statement === 'object' && document.Statement !== null) return policy
  } catch {}
  throw new AwsRefusal('MalformedPolicyDocument', 'This policy contains invalid Json, or no statement')
}

/** Octets that the session token has at least. */
export function parseTokenSize(text = '0'): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) > MAX_TOKEN_OCTETS) throw invalid('MinimumSessionTokenSize')
  return Number(text)
}

function parsePolicyArns(params: Params): string[] {
  const numbers = members(params, 'PolicyArns')
  if (numbers.length > MAX_POLICY_ARNS) throw invalid('PolicyArns')
  return numbers.map((n) => required(params, `PolicyArns.member.${n}.arn`, POLICY_ARN))
}

function parseContexts(params: Params): string[] {
  const numbers = members(params, 'ProvidedContexts')
  if (numbers.length > MAX_CONTEXTS) throw invalid('ProvidedContexts')
  return numbers.map((n) => {
    const provider = required(params, `ProvidedContexts.member.${n}.ProviderArn`, PROVIDER_ARN)
    return `${provider} ${required(params, `ProvidedContexts.member.${n}.ContextAssertion`, CONTEXT_ASSERTION)}`
  })
}

function parseTags(params: Params): Tag[] {
  const numbers = members(params, 'Tags')
  if (numbers.length > MAX_TAGS) throw invalid('Tags')
  const tags = numbers.map((n) => {
    const [key, value] = [params[`Tags.member.${n}.Key`] ?? '', params[`Tags.member.${n}.Value`]]
    if (key === '' || key.length > MAX_TAG_KEY || !TAG_TEXT.test(key)) throw invalid('Tags')
    if (value === undefined || value.length > MAX_TAG_VALUE || !TAG_TEXT.test(value)) throw invalid('Tags')
    if (key.toLowerCase().startsWith('aws:'))
      throw new AwsRefusal('InvalidParameterValue', 'Tag keys with aws: are reserved')
    return { key, value }
  })
  assertDistinct(tags.map(({ key }) => key))
  return tags
}

function parseTransitive(params: Params, tags: readonly Tag[]): string[] {
  const keys = members(params, 'TransitiveTagKeys').map((n) => params[`TransitiveTagKeys.member.${n}`] ?? '')
  assertDistinct(keys)
  const stray = keys.some((key) => !tags.some((tag) => tag.key === key))
  if (stray) throw new AwsRefusal('ValidationError', 'A transitive tag key must be included in the requested tags')
  return keys
}

/** The numbers of `Name.member.N`, which have to be 1, 2, 3 and so on. */
function members(params: Params, list: string): number[] {
  const pattern = new RegExp(`^${list}\\.member\\.(\\d+)(\\.|$)`)
  const found = new Set(Object.keys(params).flatMap((name) => pattern.exec(name)?.[1] ?? []))
  const numbers = Array.from({ length: found.size }, (_, index) => index + 1)
  if (numbers.some((n) => !found.has(String(n)))) throw invalid(list)
  return numbers
}

function assertDistinct(keys: readonly string[]): void {
  if (new Set(keys.map((key) => key.toLowerCase())).size === keys.length) return
  throw new AwsRefusal('InvalidParameterValue', 'Duplicate tag keys found. Tag keys are case insensitive.')
}

function packedSize(policy: string | undefined, tags: readonly Tag[]): number | undefined {
  if (policy === undefined && tags.length === 0) return undefined
  const packed = deflateRawSync(JSON.stringify([policy, tags.map(({ key, value }) => [key, value])])).length
  if (packed > MAX_PACKED_OCTETS)
    throw new AwsRefusal('PackedPolicyTooLarge', 'Packed size of session tags exceeds 100%')
  return Math.ceil((packed / MAX_PACKED_OCTETS) * 100)
}

const invalid = (name: string): AwsRefusal =>
  new AwsRefusal('ValidationError', `1 validation error detected: value at '${name}' failed to satisfy constraint`)
