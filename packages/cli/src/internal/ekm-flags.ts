import { callerIdentityCheck, EkmCredentialError, type FromEkmInit } from '@hardbound/aws-ekm-credential'
import { usageError } from '../cli-error.ts'
import { BROKER_OPTIONS, brokerInitOf } from './broker-flags.ts'
import { flag, type GivenOf, given, secondsOf, text } from './flags.ts'

/** Flags of `hardbound aws ekm`. */
export const EKM_OPTIONS = {
  ...BROKER_OPTIONS,
  'role-arn': text,
  duration: text,
  region: text,
  'access-key-id': text,
  'session-name': text,
  'no-assume-role': flag,
  'verify-identity': flag,
  'sts-endpoint': text,
} as const

/** What was given of {@link EKM_OPTIONS}. */
export type EkmFlags = GivenOf<typeof EKM_OPTIONS>

/**
 * What the flags mean for `fromEkm`. Reads the files that they name.
 *
 * @throws {CliError} naming the flag.
 */
export function ekmInitOf(flags: EkmFlags): FromEkmInit {
  const init = brokerInitOf(flags)
  const isGoV1Only = flags['access-key-id'] ?? flags['session-name'] ?? flags['no-assume-role']
  if (isGoV1Only !== undefined && init.protocol !== 'go-v1') {
    throw usageError('--access-key-id, --session-name and --no-assume-role need --protocol go-v1')
  }
  return {
    ...init,
    ...given('roleArn', flags['role-arn']),
    ...given('durationSeconds', secondsOf('--duration', flags.duration)),
    goV1: {
      ...given('accessKeyId', flags['access-key-id']),
      ...given('region', flags.region),
      ...given('sessionName', flags['session-name']),
      ...given('useAssumeRole', flags['no-assume-role'] === true ? false : undefined),
    },
    ...given('checkIdentity', identityCheck(flags)),
  }
}

/** Loads the AWS SDK, but only when there are keys to check. */
function identityCheck(flags: EkmFlags): FromEkmInit['checkIdentity'] {
  const { region, 'sts-endpoint': endpoint } = flags
  if (flags['verify-identity'] !== true) {
    if (endpoint !== undefined) throw usageError('--sts-endpoint needs --verify-identity')
    return undefined
  }
  if (region === undefined) throw usageError('--verify-identity needs --region')
  if (endpoint !== undefined && !/^https:\/\/|^http:\/\/127\.0\.0\.1:\d+\/?$/.test(endpoint)) {
    throw usageError('--sts-endpoint must begin with https://') // the session token goes there
  }
  const check = callerIdentityCheck({ region, ...given('endpoint', endpoint) })
  return async (credentials, expected) => {
    try {
      await check(credentials, expected)
    } catch (cause) {
      if (cause instanceof EkmCredentialError) throw cause
      const why = '--verify-identity needs the package @aws-sdk/client-sts beside this one'
      throw new EkmCredentialError('ERR_EKM_IDENTITY_MISMATCH', why, { cause })
    }
  }
}
