import type { FromRolesAnywhereInit } from '@hardbound/roles-anywhere'
import { CliError, usageError } from '../cli-error.ts'
import { fileOf, flag, type GivenOf, given, inWordsOfFlags, oneOf, required, secondsOf, text } from './flags.ts'
import { withCures } from './process-credential.ts'
import { PROXY_HELP, PROXY_OPTIONS, proxyOf } from './proxy-flags.ts'
import { ROLE_FLAGS, ROLE_OPTIONS, roleFieldsOf, stsEndpointOf } from './session-flags.ts'

/** Flags that say what is asked of IAM Roles Anywhere, and how to get there. */
export const ROLES_ANYWHERE_OPTIONS = {
  'trust-anchor-arn': text,
  'profile-arn': text,
  'role-arn': text,
  duration: text,
  'session-name': text,
  region: text,
  endpoint: text,
  fips: flag,
  'dual-stack': flag,
  ca: text,
  ...PROXY_OPTIONS,
  timeout: text,
  'certificate-rules': text,
  'assume-role': text,
  'assume-role-session-name': text,
  'assume-role-duration': text,
  ...ROLE_OPTIONS,
  'sts-endpoint': text,
} as const

/** What was given of {@link ROLES_ANYWHERE_OPTIONS}. */
export type RolesAnywhereFlags = GivenOf<typeof ROLES_ANYWHERE_OPTIONS>

/** Their part of `--help`. */
export const ROLES_ANYWHERE_HELP = `Session
  --trust-anchor-arn <arn>, --profile-arn <arn>, --role-arn <arn>   (required)
  --duration <seconds>   900 to 43200 (default: what the profile has)
  --session-name <name>  the profile has to accept it (default: the certificate's serial number)
  --region <region>      (default: that of the trust anchor)
  --fips, --dual-stack   use such an endpoint
  --endpoint <url>       another endpoint, for VPC endpoints
  --ca <file>            trust only these authorities there, and for --sts-endpoint
  ${PROXY_HELP}
  --timeout <seconds>    for everything, retries included (default: 30)
  --certificate-rules <refuse|warn>   what to do with a certificate that breaks the service's rules (default: refuse)

A further role, assumed with the session (role chaining)
  --assume-role <arn>, --assume-role-session-name <name> (default: hardbound), --assume-role-duration <seconds> (900 to 3600)
  --external-id <id>, --source-identity <name>, --policy <file.json>
  --policy-arn <arn>, --tag <key=value>, --transitive-tag <key>   may be given several times
  --sts-endpoint <url>   another endpoint of STS, for VPC endpoints
`

const CHAINED_ONLY = ['assume-role-session-name', 'assume-role-duration', ...ROLE_FLAGS, 'sts-endpoint'] as const

/**
 * Everything for `fromRolesAnywhere` but the identity and the proxy's password. Reads the files that the flags name.
 *
 * @throws {CliError} naming the flag.
 */
export function rolesAnywhereInitOf(flags: RolesAnywhereFlags): Omit<FromRolesAnywhereInit, 'identity'> {
  const timeout = secondsOf('--timeout', flags.timeout)
  return {
    trustAnchorArn: required('--trust-anchor-arn', flags['trust-anchor-arn']),
    profileArn: required('--profile-arn', flags['profile-arn']),
    roleArn: required('--role-arn', flags['role-arn']),
    durationSeconds: secondsOf('--duration', flags.duration),
    roleSessionName: flags['session-name'],
    region: flags.region,
    endpoint: flags.endpoint,
    useFipsEndpoint: flags.fips,
    useDualstackEndpoint: flags['dual-stack'],
    ca: fileOf('--ca', flags.ca),
    proxy: proxyOf(flags),
    certificateRules: oneOf('--certificate-rules', flags['certificate-rules'], ['refuse', 'warn']),
    ...given('timeoutMs', timeout === undefined ? undefined : timeout * 1000),
    ...chainingOf(flags),
  }
}

function chainingOf(flags: RolesAnywhereFlags): Pick<FromRolesAnywhereInit, 'assumeRole' | 'stsEndpoint'> {
  const { 'assume-role': RoleArn } = flags
  if (RoleArn === undefined) {
    const needless = CHAINED_ONLY.find((name) => flags[name] !== undefined)
    if (needless !== undefined) throw usageError(`--${needless} needs --assume-role`)
    return {}
  }
  return {
    assumeRole: {
      RoleArn,
      RoleSessionName: flags['assume-role-session-name'] ?? 'hardbound',
      ...given('DurationSeconds', secondsOf('--assume-role-duration', flags['assume-role-duration'])),
      ...roleFieldsOf(flags),
    },
    stsEndpoint: stsEndpointOf(flags),
  }
}

/** Options that their flags are not simply called like. */
const FLAGS: Readonly<Record<string, string>> = {
  durationSeconds: '--duration',
  roleSessionName: '--session-name',
  useFipsEndpoint: '--fips',
  useDualstackEndpoint: '--dual-stack',
  timeoutMs: '--timeout',
  RoleArn: '--assume-role',
  RoleSessionName: '--assume-role-session-name',
  DurationSeconds: '--assume-role-duration',
  ExternalId: '--external-id',
  SourceIdentity: '--source-identity',
  Policy: '--policy',
  PolicyArns: '--policy-arn',
  Tags: '--tag',
  TransitiveTagKeys: '--transitive-tag',
}

/** Options that messages of the library may name. */
const NAMED = {
  trustAnchorArn: '--trust-anchor-arn',
  profileArn: '--profile-arn',
  roleArn: '--role-arn',
  roleSessionName: '--session-name',
  durationSeconds: '--duration',
  ca: '--ca',
  certificate: '--certificate',
  privateKey: '--private-key',
  intermediates: '--intermediates',
  uri: '--store',
} as const
const OPTION = new RegExp(`"(${Object.keys(NAMED).join('|')})"`, 'g')

/** What the library complains of, in the words of flags. Its own errors are for the operator: their messages hold no secret. */
export function rolesAnywhereFailure(cause: unknown): never {
  if (cause instanceof Error && 'code' in cause && /^ERR_RA_/.test(String(cause.code))) {
    const message = cause.message.replace(OPTION, (_, option: keyof typeof NAMED) => NAMED[option])
    throw new CliError(`${withCures(message)} [${String(cause.code)}]`, { cause })
  }
  return inWordsOfFlags(cause, FLAGS)
}
