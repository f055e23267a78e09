import type { AwsCredentialIdentity } from '@smithy/types'
import { EkmCredentialError } from './errors.ts'

/** Which STS to ask. */
export interface CallerIdentityCheckInit {
  /** AWS region whose STS endpoint answers. */
  region: string
  /** Another endpoint, for VPC endpoints and tests. */
  endpoint?: string
  /** For the whole call, in milliseconds. Default: 5 000. */
  timeoutMs?: number
}

/**
 * A `checkIdentity` that asks AWS whose the keys are (STS GetCallerIdentity), so that a broker gone rogue can't hand out keys
 * of an account of its own. Loads `@aws-sdk/client-sts`, an optional peer dependency, on first use.
 */
export function callerIdentityCheck({ timeoutMs = 5_000, ...init }: CallerIdentityCheckInit) {
  return async (credentials: AwsCredentialIdentity, expected: { roleArn: string | undefined }): Promise<void> => {
    const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts')
    // AWS_ENDPOINT_URL is not asked: whoever sets our environment may be who we are on guard against.
    const client = new STSClient({ ...init, credentials, maxAttempts: 2, ignoreConfiguredEndpointUrls: true })
    try {
      const abortSignal = AbortSignal.timeout(timeoutMs)
      const { Arn } = await client.send(new GetCallerIdentityCommand({}), { abortSignal })
      if (!isSessionOf(Arn, credentials, expected.roleArn)) {
        throw new EkmCredentialError('ERR_EKM_IDENTITY_MISMATCH', 'AWS says that the keys belong to somebody else')
      }
    } catch (cause) {
      if (cause instanceof EkmCredentialError) throw cause
      throw new EkmCredentialError('ERR_EKM_IDENTITY_MISMATCH', 'AWS did not confirm whose the keys are', { cause })
    } finally {
      client.destroy()
    }
  }
}

/** Same partition, account and role name; without a role asked for, the account that the broker named. */
function isSessionOf(
  arn: string | undefined,
  { accountId }: AwsCredentialIdentity,
  roleArn: string | undefined,
): boolean {
  const [, partition, , , account, session] = (arn ?? '').split(':')
  if (roleArn === undefined) return accountId !== undefined && account === accountId
  const [, askedPartition, , , askedAccount, path] = roleArn.split(':')
  const [kind, name] = session?.split('/') ?? []
  return (
    partition === askedPartition &&
    account === askedAccount &&
    kind === 'assumed-role' &&
    name === path?.split('/').at(-1)
  )
}
