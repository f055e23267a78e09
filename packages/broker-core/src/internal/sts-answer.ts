import type { AssumeRoleCommandOutput } from '@aws-sdk/client-sts'
import { BrokerError } from '../errors.ts'
import type { AwsGrant, IssuedCredential } from '../types.ts'

const ROLE_ARN = /^arn:(aws[a-z-]{0,20}):iam::(\d{12}):role\/(?:[\w+=,.@/-]{1,511}\/)?([\w+=,.@-]{1,64})$/
const ACCESS_KEY_ID = /^[A-Z0-9]{16,128}$/
const SECRET = /^[\x21-\x7e]{1,256}$/
const SESSION_TOKEN = /^[\x21-\x7e]{1,16384}$/
/** Seconds that the expiry may lie beyond what was asked for. */
const EXPIRY_SLACK_SECONDS = 300

type StsAnswer = Partial<
  Pick<AssumeRoleCommandOutput, 'Credentials' | 'AssumedRoleUser' | 'PackedPolicySize' | 'SourceIdentity'>
>

/**
 * Holds an STS answer against the grant it is for.
 *
 * @param nowSeconds Seconds since the epoch.
 * @throws {BrokerError} `upstream_rejected` with `upstream.format`, `upstream.expiry`, `upstream.mismatch` or
 *   `upstream.policy_unseen`.
 */
export function toIssuedCredential(answer: StsAnswer, grant: AwsGrant, nowSeconds: number): IssuedCredential {
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '', Expiration } = answer.Credentials ?? {}
  if (!ACCESS_KEY_ID.test(AccessKeyId) || !SECRET.test(SecretAccessKey) || !SESSION_TOKEN.test(SessionToken)) {
    throw reject('upstream.format')
  }
  const expiresAt = Math.floor(Number(Expiration) / 1000)
  if (!Number.isSafeInteger(expiresAt)) throw reject('upstream.format')
  if (expiresAt <= nowSeconds || expiresAt > nowSeconds + grant.durationSeconds + EXPIRY_SLACK_SECONDS) {
    throw reject('upstream.expiry')
  }
  const assumedRoleArn = answer.AssumedRoleUser?.Arn
  if (assumedRoleArn !== expectedArn(grant)) throw reject('upstream.mismatch')
  const { SourceIdentity = grant.sourceIdentity } = answer // without one of ours, STS names that of the broker's session
  if (grant.sourceIdentity !== undefined && SourceIdentity !== grant.sourceIdentity) throw reject('upstream.mismatch')
  const sentPolicy = grant.sessionPolicy !== undefined || grant.tags.length > 0
  if (grant.requirePackedPolicySize && sentPolicy && answer.PackedPolicySize === undefined) {
    throw reject('upstream.policy_unseen')
  }
  const expiration = new Date(expiresAt * 1000).toISOString().replace('.000Z', 'Z')
  const arn = assumedRoleArn === undefined ? {} : { AssumedRoleArn: assumedRoleArn }
  return {
    body: { Version: 1, AccessKeyId, SecretAccessKey, SessionToken, Expiration: expiration, ...arn },
    expiresAt,
    audit: {
      aws_access_key_id: AccessKeyId,
      ...(assumedRoleArn === undefined ? {} : { aws_assumed_role_arn: assumedRoleArn }),
    },
  }
}

/** The one ARN that the session may have; paths of roles are not part of it. */
function expectedArn(grant: AwsGrant): string | undefined {
  if (grant.action === 'GetSessionToken') return undefined
  const role = ROLE_ARN.exec(grant.roleArn ?? '')
  if (role === null) throw new BrokerError('internal', 'issuer.role_arn')
  const [, partition = '', account = '', name = ''] = role
  return `arn:${partition}:sts::${account}:assumed-role/${name}/${grant.roleSessionName}`
}

const reject = (reason: string) => new BrokerError('upstream_rejected', reason)
