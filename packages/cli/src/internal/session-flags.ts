import type { FromHmacInit } from '@hardbound/sigv4-hmac'
import { usageError } from '../cli-error.ts'
import { fileOf, flag, type GivenOf, given, inWordsOfFlags, required, secondsOf, text, texts } from './flags.ts'
import { PROXY_HELP, PROXY_OPTIONS, proxyOf } from './proxy-flags.ts'

/** Flags of `AssumeRole` that every session of a role may have. */
export const ROLE_OPTIONS = {
  'external-id': text,
  'source-identity': text,
  policy: text,
  'policy-arn': texts,
  tag: texts,
  'transitive-tag': texts,
} as const

/** Flags of the STS session that `hardbound aws tpm|pkcs11|kms` ask for. */
export const SESSION_OPTIONS = {
  'access-key-id': text,
  region: text,
  'role-arn': text,
  'session-name': text,
  duration: text,
  ...ROLE_OPTIONS,
  'mfa-serial': text,
  'mfa-code': text,
  'sts-endpoint': text,
  'sts-ca': text,
  fips: flag,
  'dual-stack': flag,
  ...PROXY_OPTIONS,
  timeout: text,
  'known-answer': text,
} as const

/** Flags of AWS sessions that name files which decide the session. */
export const SESSION_FILES = ['policy'] as const

/** Their part of `--help`. */
export const SESSION_HELP = `Session
  --access-key-id <id>   AKIA… of the IAM user whose secret the key is (required)
  --region <region>      whose STS to ask (required)
  --role-arn <arn>       assume this role; without it, a session of the user itself (GetSessionToken)
  --session-name <name>  name of the role session (default: hardbound)
  --duration <seconds>   length of the session (default: 3600)
  --external-id <id>, --source-identity <name>, --policy <file.json>
  --policy-arn <arn>, --tag <key=value>, --transitive-tag <key>   may be given several times
  --mfa-serial <arn>, --mfa-code <digits>
  --fips, --dual-stack   use such an endpoint of STS
  --sts-endpoint <url>   another endpoint, for VPC endpoints; --sts-ca <file> trusts only these authorities there
  ${PROXY_HELP}
  --timeout <seconds>    for STS, retries included (default: 10)
  --known-answer <hex>   what the key answered when it was enrolled: another key is refused
`

/** What was given of {@link SESSION_OPTIONS}. */
export type SessionFlags = GivenOf<typeof SESSION_OPTIONS>

/** Everything of {@link FromHmacInit} but the backend; the proxy is without its password. */
export type SessionInit = FromHmacInit extends infer Init
  ? Init extends unknown
    ? Omit<Init, 'backend'>
    : never
  : never

/**
 * What the flags mean for `fromHmac`.
 *
 * @throws {CliError} naming the flag.
 */
export function sessionInitOf(flags: SessionFlags): SessionInit {
  const timeout = secondsOf('--timeout', flags.timeout)
  const endpoint = stsEndpointOf(flags)
  const common = {
    accessKeyId: required('--access-key-id', flags['access-key-id']),
    region: required('--region', flags.region),
    ...given('endpoint', endpoint),
    ...(endpoint?.startsWith('http:') === true ? { dangerouslyAllowPlaintextEndpoint: true } : {}),
    ...given('ca', fileOf('--sts-ca', flags['sts-ca'])),
    ...given('proxy', proxyOf(flags)),
    ...given('useFipsEndpoint', flags.fips),
    ...given('useDualstackEndpoint', flags['dual-stack']),
    ...given('timeoutMs', timeout === undefined ? undefined : timeout * 1000),
  }
  const mfa = { ...given('SerialNumber', flags['mfa-serial']), ...given('TokenCode', flags['mfa-code']) }
  const DurationSeconds = secondsOf('--duration', flags.duration) ?? 3600
  const roleArn = flags['role-arn']
  if (roleArn === undefined) {
    const needless = ROLE_ONLY.find((name) => flags[name] !== undefined)
    if (needless !== undefined) throw usageError(`--${needless} needs --role-arn`)
    return { ...common, getSessionToken: { DurationSeconds, ...mfa } }
  }
  return {
    ...common,
    assumeRole: {
      RoleArn: roleArn,
      RoleSessionName: flags['session-name'] ?? 'hardbound',
      DurationSeconds,
      ...mfa,
      ...roleFieldsOf(flags),
    },
  }
}

/** Names of {@link ROLE_OPTIONS}. */
export const ROLE_FLAGS = Object.keys(ROLE_OPTIONS) as (keyof typeof ROLE_OPTIONS)[]
const ROLE_ONLY = ['session-name', ...ROLE_FLAGS] as const

/** What {@link ROLE_OPTIONS} mean for `AssumeRole`. Reads the file of the policy. */
export function roleFieldsOf(flags: GivenOf<typeof ROLE_OPTIONS>) {
  return {
    ...given('ExternalId', flags['external-id']),
    ...given('SourceIdentity', flags['source-identity']),
    ...given('Policy', fileOf('--policy', flags.policy)?.toString('utf8')),
    ...given(
      'PolicyArns',
      flags['policy-arn']?.map((arn) => ({ arn })),
    ),
    ...given('Tags', flags.tag?.map(tagOf)),
    ...given('TransitiveTagKeys', flags['transitive-tag']),
  }
}

/** @throws {CliError} where it has no TLS, and is not on this machine. */
export function stsEndpointOf(flags: { readonly 'sts-endpoint'?: string | undefined }): string | undefined {
  const endpoint = flags['sts-endpoint']
  if (endpoint !== undefined && !/^https:\/\/|^http:\/\/127\.0\.0\.1:\d+\/?$/.test(endpoint)) {
    throw usageError('--sts-endpoint must begin with https://') // the session token comes from there
  }
  return endpoint
}

function tagOf(pair: string): { Key: string; Value: string } {
  const at = pair.indexOf('=')
  if (at < 1) throw usageError('--tag must be key=value')
  return { Key: pair.slice(0, at), Value: pair.slice(at + 1) }
}

/** Options of `fromHmac` that their flags are not simply called like. */
const FLAGS: Readonly<Record<string, string>> = {
  endpoint: '--sts-endpoint',
  ca: '--sts-ca',
  timeoutMs: '--timeout',
  useFipsEndpoint: '--fips',
  useDualstackEndpoint: '--dual-stack',
  RoleArn: '--role-arn',
  RoleSessionName: '--session-name',
  DurationSeconds: '--duration',
  ExternalId: '--external-id',
  SourceIdentity: '--source-identity',
  Policy: '--policy',
  PolicyArns: '--policy-arn',
  Tags: '--tag',
  TransitiveTagKeys: '--transitive-tag',
  SerialNumber: '--mfa-serial',
  TokenCode: '--mfa-code',
}

/** Runs a factory of the library, and says in the words of flags which option can't be right. */
export function withFlagNames<T>(make: () => T, flags: Readonly<Record<string, string>> = {}): T {
  try {
    return make()
  } catch (cause) {
    return inWordsOfFlags(cause, { ...FLAGS, ...flags })
  }
}
