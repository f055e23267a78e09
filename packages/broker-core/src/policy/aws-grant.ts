import type { AwsGrant, CredentialRequest, PolicyInput } from '../types.ts'
import { type Condition, quote } from './condition.ts'
import type { GrantPlan } from './grant-plan.ts'
import { PolicyError } from './policy-error.ts'
import type { AwsGrantDocument } from './schema.ts'
import { compileSessionPolicy } from './session-policy.ts'
import { compileTemplate, type TemplateVariables } from './template.ts'
import { policyVariables } from './variables.ts'

type AwsRequest = Extract<CredentialRequest, { target: 'aws' }>

/** AWS STS: RoleSessionName and SourceIdentity. */
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/
/** AWS STS: value of a session tag. */
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u
const SESSION_TOKEN = 'GetSessionToken'

/**
 * Compiles `grant.aws`.
 *
 * @param path Of the `aws` block.
 * @throws {PolicyError} `ERR_POLICY_INVALID`
 */
export function compileAwsGrant(aws: AwsGrantDocument, ruleId: string, path: string): GrantPlan {
  const roles = aws.role_arns ?? (aws.role_arn === undefined ? [] : [aws.role_arn])
  const isSessionToken = aws.action === 'get_session_token'
  const roleSessionName = compileSessionName(aws.session_name, `${path}.session_name`)
  const sourceIdentity = compileOptional(aws.source_identity, SESSION_NAME, `${path}.source_identity`)
  const sessionPolicy = compileSessionPolicy(aws, path)
  const tags = Object.entries(aws.tags).map(([key, text]) => ({
    key,
    fill: compileChecked(text, TAG_VALUE, `${path}.tags.${key}`),
  }))

  return {
    target: 'aws',
    conditions: requestConditions(roles, isSessionToken),
    choices(request) {
      if (!isAws(request)) return []
      if (isSessionToken) return [SESSION_TOKEN]
      return request.roleArn === undefined ? roles : [request.roleArn]
    },
    grant(choice, input) {
      const variables: TemplateVariables = { ...policyVariables(input), rule: { id: ruleId } }
      const name = roleSessionName(variables, input)
      const identity = sourceIdentity?.(variables)
      const policy = sessionPolicy?.(variables)
      const filledTags = tags.map(({ key, fill }) => ({ key, value: fill(variables) }))
      if (name === undefined || !filledTags.every(hasValue)) return undefined
      if ((sourceIdentity && identity === undefined) || (sessionPolicy && policy === undefined)) return undefined
      return {
        target: 'aws',
        action: isSessionToken ? 'GetSessionToken' : 'AssumeRole',
        roleArn: isSessionToken ? undefined : choice,
        durationSeconds: durationOf(input.request, aws.max_duration_seconds),
        roleSessionName: name,
        sourceIdentity: identity,
        externalId: aws.external_id,
        sessionPolicy: policy,
        tags: filledTags,
        transitiveTagKeys: aws.transitive_tags ?? [],
        region: aws.region,
        requirePackedPolicySize: policy !== undefined && aws.require_packed_policy_size,
      } satisfies AwsGrant
    },
  }
}

function requestConditions(roles: readonly string[], isSessionToken: boolean): Condition[] {
  const aws = (ask: (request: AwsRequest) => boolean) => (input: PolicyInput) =>
    isAws(input.request) && ask(input.request)
  return [
    {
      name: 'request.action',
      reason: 'request.action',
      holds: aws((request) => request.sessionToken === isSessionToken),
      detail: () => `the rule grants ${isSessionToken ? SESSION_TOKEN : 'AssumeRole'}`,
    },
    {
      name: 'request.role_arn',
      reason: 'request.role_arn',
      holds: aws(({ roleArn }) => roleArn === undefined || roles.includes(roleArn)),
      detail: ({ request }) =>
        `${isAws(request) && request.roleArn !== undefined ? quote(request.roleArn) : 'no role'} of ${quote(roles)}`,
    },
  ]
}

const isAws = (request: CredentialRequest): request is AwsRequest => request.target === 'aws'
const hasValue = (tag: { key: string; value: string | undefined }): tag is { key: string; value: string } =>
  tag.value !== undefined

/** Seconds: what was asked for, or an hour where nothing was, and at most the rule's maximum. */
const durationOf = (request: CredentialRequest, maximum: number): number =>
  Math.min(isAws(request) ? (request.durationSeconds ?? 3600) : 3600, maximum)

/** The only text that is bent to fit: it is a label, and AWS has no session without one. */
function compileSessionName(text: string | undefined, path: string) {
  const template = text === undefined ? undefined : compileTemplate(text, path)
  return (variables: TemplateVariables, { attestation }: PolicyInput): string | undefined => {
    const { claims, tokenSha256 } = attestation
    const instanceId = claims.kind === 'confidential-space' ? claims.gce.instanceId : undefined
    const name = template === undefined ? `hb-${instanceId ?? tokenSha256.slice(0, 16)}` : template.fill(variables)
    const fitted = name?.replace(/[^\w+=,.@-]/g, '-').slice(0, 64)
    return fitted !== undefined && SESSION_NAME.test(fitted) ? fitted : undefined
  }
}

function compileOptional(text: string | undefined, allowed: RegExp, path: string) {
  return text === undefined ? undefined : compileChecked(text, allowed, path)
}

function compileChecked(text: string, allowed: RegExp, path: string) {
  const template = compileTemplate(text, path)
  if (template.isFixed && !allowed.test(text)) {
    throw new PolicyError('ERR_POLICY_INVALID', path, 'has characters or a length that AWS does not take')
  }
  return (variables: TemplateVariables): string | undefined => {
    const filled = template.fill(variables)
    return filled !== undefined && allowed.test(filled) ? filled : undefined
  }
}
