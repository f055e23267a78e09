import {
  callerIdentityCheck,
  confidentialSpaceLauncher,
  EkmCredentialError,
  type FromEkmInit,
} from '@hardbound/aws-ekm-credential'
import { usageError } from '../cli-error.ts'
import { fileOf, flag, given, help, oneOf, parseFlags, secondsOf, text, texts } from './flags.ts'

const OPTIONS = {
  broker: text,
  audience: text,
  'role-arn': text,
  duration: text,
  ca: text,
  pin: texts,
  address: text,
  sni: text,
  cert: text,
  key: text,
  proxy: text,
  socket: text,
  'attestation-service': text,
  'token-type': text,
  protocol: text,
  region: text,
  'access-key-id': text,
  'session-name': text,
  'no-assume-role': flag,
  timeout: text,
  'verify-identity': flag,
  'sts-endpoint': text,
  help,
} as const

/** What was given to `hardbound aws ekm`, as text. */
export type EkmFlags = ReturnType<typeof parseEkmFlags>

/** @throws {CliError} with exit code 2; no message holds a value. */
export const parseEkmFlags = (args: string[]) => parseFlags(args, OPTIONS)

/**
 * What the flags mean for `fromEkm`. Reads the files that they name.
 *
 * @throws {CliError} naming the flag.
 */
export function ekmInitOf(flags: EkmFlags): FromEkmInit {
  const { broker, audience, region } = flags
  if (broker === undefined) throw usageError('--broker is required')
  if (audience === undefined) throw usageError('--audience is required')
  const protocol = oneOf('--protocol', flags.protocol, ['v2', 'go-v1'])
  const isGoV1Only = flags['access-key-id'] ?? flags['session-name'] ?? flags['no-assume-role']
  if (isGoV1Only !== undefined && protocol !== 'go-v1') {
    throw usageError('--access-key-id, --session-name and --no-assume-role need --protocol go-v1')
  }
  const timeout = secondsOf('--timeout', flags.timeout)
  return {
    broker: {
      url: broker,
      ...given('address', flags.address),
      ...given('serverName', flags.sni),
      ...given('ca', fileOf('--ca', flags.ca)),
      ...given('spkiPins', flags.pin),
      ...given('cert', fileOf('--cert', flags.cert)),
      ...given('key', fileOf('--key', flags.key)),
      ...given('proxy', flags.proxy),
    },
    audience,
    attestation: confidentialSpaceLauncher({
      ...given('socketPath', flags.socket),
      ...given('service', oneOf('--attestation-service', flags['attestation-service'], ['google', 'intel'])),
      ...given('tokenType', oneOf('--token-type', flags['token-type'], ['OIDC', 'PKI'])),
    }),
    ...given('roleArn', flags['role-arn']),
    ...given('durationSeconds', secondsOf('--duration', flags.duration)),
    ...given('timeoutMs', timeout === undefined ? undefined : timeout * 1000),
    ...given('protocol', protocol),
    goV1: {
      ...given('accessKeyId', flags['access-key-id']),
      ...given('region', region),
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
