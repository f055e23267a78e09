import { AwsRefusal } from './errors.ts'
import {
  type Accounts,
  accountOf,
  expiry,
  openRoleSession,
  openSession,
  type Principal,
  type Role,
  timestamp,
} from './internal/accounts.ts'
import {
  type AssumeRoleInput,
  assertKnown,
  parseAssumeRole,
  parseDuration,
  parseTokenSize,
} from './internal/assume-role-input.ts'
import { checkMfa } from './internal/mfa.ts'
import { type Xml, xml } from './internal/xml.ts'

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/'
const VERSION = '2011-06-15'
/** A session made by a session lasts an hour at most, whatever its role allows. */
const MAX_CHAINED_SECONDS = 3600
/** So does one of the account's root, also where more was asked for. */
const MAX_ROOT_SECONDS = 3600

/** A request whose signature has been verified. */
export interface StsCall {
  readonly action: string
  /** Without `Action`. */
  readonly params: Readonly<Record<string, string>>
  readonly caller: Principal
  readonly accounts: Accounts
  readonly nowMs: number
  readonly minSessionSeconds: number
  readonly shortenSessionsTo: number | undefined
  readonly requestId: string
}

/**
 * Answers an STS call of API version 2011-06-15.
 *
 * @returns The XML of a 200.
 * @throws {AwsRefusal} with the code AWS would answer with; `InvalidAction` on all but three actions.
 */
export function answerSts(call: StsCall): string {
  const { Version, ...params } = call.params
  const action = Version === VERSION ? ACTIONS.get(call.action) : undefined
  if (action === undefined) throw new AwsRefusal('InvalidAction', 'Could not find this operation in this version')
  return xml([
    [
      `${call.action}Response xmlns="${NAMESPACE}"`,
      [
        [`${call.action}Result`, action({ ...call, params })],
        ['ResponseMetadata', [['RequestId', call.requestId]]],
      ],
    ],
  ])
}

/** The XML of a refusal. */
export function stsError({ code, message, status }: AwsRefusal, requestId: string): string {
  const error: Xml = [
    ['Type', status < 500 ? 'Sender' : 'Receiver'],
    ['Code', code],
    ['Message', message],
  ]
  const content: Xml = [
    ['Error', error],
    ['RequestId', requestId],
  ]
  return xml([[`ErrorResponse xmlns="${NAMESPACE}"`, content]])
}

const ACTIONS = new Map<string, (call: StsCall) => Xml>([
  ['AssumeRole', assumeRole],
  ['GetCallerIdentity', getCallerIdentity],
  ['GetSessionToken', getSessionToken],
])

function assumeRole({ params, caller, accounts, nowMs, minSessionSeconds, shortenSessionsTo }: StsCall): Xml {
  const input = parseAssumeRole(params, minSessionSeconds)
  const role = trustedRole(input, caller, accounts)
  if (!checkMfa(params, caller) && role.requireMfa) throw denied(caller, role.arn)
  assertDuration(input.durationSeconds, role, caller)
  const sourceIdentity = sourceIdentityOf(input, role, caller)
  const inherited = inheritedTags(input, caller)
  const session = openRoleSession(accounts, {
    roleArn: role.arn,
    roleSessionName: input.roleSessionName,
    expiresAtMs: expiry(nowMs, shortenSessionsTo ?? input.durationSeconds),
    policies: policiesOf(input, accounts),
    tags: [...input.tags, ...inherited],
    transitiveTagKeys: [...input.transitiveTagKeys, ...inherited.map(({ key }) => key)],
    sourceIdentity,
    minTokenOctets: input.minTokenOctets,
  })
  return [
    [
      'AssumedRoleUser',
      [
        ['AssumedRoleId', session.userId],
        ['Arn', session.arn],
      ],
    ],
    ['Credentials', credentials(session)],
    ['PackedPolicySize', input.packedPolicySize?.toString()],
    ['SourceIdentity', sourceIdentity],
  ]
}

/** The role, if there is one that lets the caller in. AWS does not say which of the conditions failed. */
function trustedRole({ roleArn, externalId }: AssumeRoleInput, caller: Principal, accounts: Accounts): Role {
  const role = accounts.roles.get(roleArn)
  const trusted = role?.trusts.some((arn) => arn === caller.arn || arn === caller.session?.roleArn)
  if (!trusted || (role!.externalId !== undefined && role!.externalId !== externalId)) throw denied(caller, roleArn)
  return role!
}

/** A session's own policy, and managed ones. The emulator's own rule: they, and contexts, have to be known to it. */
function policiesOf({ policy, policyArns, contexts }: AssumeRoleInput, accounts: Accounts): string[] {
  if (!contexts.every((context) => accounts.contexts.has(context))) {
    throw new AwsRefusal('ValidationError', 'A provided context is not one that the emulator knows')
  }
  const managed = policyArns.map((arn) => accounts.policies.get(arn))
  if (managed.includes(undefined))
    throw new AwsRefusal('ValidationError', 'A policy is not one that the emulator knows')
  return [policy, ...managed].filter((document) => document !== undefined)
}

function assertDuration(seconds: number, role: Role, caller: Principal): void {
  if (seconds > (role.maxSessionSeconds ?? 3600)) {
    throw new AwsRefusal('ValidationError', 'DurationSeconds exceeds the MaxSessionDuration set for this role.')
  }
  if (caller.session?.roleArn !== undefined && seconds > MAX_CHAINED_SECONDS) {
    throw new AwsRefusal(
      'ValidationError',
      'DurationSeconds exceeds the 1 hour limit for roles assumed by role chaining',
    )
  }
}

/** Once set, a source identity stays for all sessions made from the session. */
function sourceIdentityOf(input: AssumeRoleInput, role: Role, caller: Principal): string | undefined {
  const given = caller.session?.sourceIdentity
  const identity = input.sourceIdentity ?? given
  if (given !== undefined && identity !== given) throw denied(caller, role.arn)
  if (role.requireSourceIdentity && identity === undefined) throw denied(caller, role.arn)
  return identity
}

/** Transitive tags go along the chain, and nobody there may set them anew. */
function inheritedTags(input: AssumeRoleInput, { session }: Principal) {
  const transitive = new Set(session?.transitiveTagKeys.map((key) => key.toLowerCase()))
  if (input.tags.some(({ key }) => transitive.has(key.toLowerCase()))) {
    throw new AwsRefusal('InvalidParameterValue', 'One of the specified transitive tag keys cannot be set')
  }
  return (session?.tags ?? []).filter(({ key }) => transitive.has(key.toLowerCase()))
}

/** For users alone. */
function getSessionToken({ params, caller, accounts, nowMs, minSessionSeconds, shortenSessionsTo }: StsCall): Xml {
  if (caller.session !== undefined) {
    throw new AwsRefusal('AccessDenied', 'Cannot call GetSessionToken with session credentials')
  }
  assertKnown(params, /^(DurationSeconds|SerialNumber|TokenCode|MinimumSessionTokenSize)$/)
  const limits = { min: minSessionSeconds, max: 129_600, standard: 43_200 }
  const asked = parseDuration(params.DurationSeconds, limits)
  const minTokenOctets = parseTokenSize(params.MinimumSessionTokenSize)
  checkMfa(params, caller)
  const seconds = caller.arn.endsWith(':root') ? Math.min(asked, MAX_ROOT_SECONDS) : asked
  const expiresAtMs = expiry(nowMs, shortenSessionsTo ?? seconds)
  const session = { expiresAtMs, policies: [], tags: [], transitiveTagKeys: [] }
  return [['Credentials', credentials(openSession(accounts, caller, session, minTokenOctets))]]
}

/** Needs no permission: a valid signature is enough. */
function getCallerIdentity({ params, caller }: StsCall): Xml {
  assertKnown(params, /^$/)
  return [
    ['Arn', caller.arn],
    ['UserId', caller.userId],
    ['Account', accountOf(caller.arn)],
  ]
}

const credentials = ({ accessKeyId, secretAccessKey, session }: ReturnType<typeof openSession>): Xml => [
  ['AccessKeyId', accessKeyId],
  ['SecretAccessKey', secretAccessKey],
  ['SessionToken', session.token],
  ['Expiration', timestamp(session.expiresAtMs)],
]

const denied = ({ arn }: Principal, roleArn: string): AwsRefusal =>
  new AwsRefusal('AccessDenied', `User: ${arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`)
