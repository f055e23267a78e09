import {
  type CreateSessionInit,
  type RolesAnywhereEndpointInit,
  rolesAnywhereEndpoint,
} from '@hardbound/roles-anywhere'
import { CliError } from '../cli-error.ts'
import { environmentProxy } from '../internal/environment-proxy.ts'
import { fileOf } from '../internal/flags.ts'
import { missingArns } from './missing.ts'
import type { SessionFlags } from './types.ts'

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Everything for CreateSession but the identity, from flags and from the variables that AWS's SDKs have for it. Reads the file of
 * AWS_CA_BUNDLE; `~/.aws/config` is not looked at.
 *
 * @throws {CliError}
 */
export function sessionInitOf(flags: SessionFlags, env: Environment): Omit<CreateSessionInit, 'identity'> {
  if (flags['no-verify-ssl']) {
    throw new CliError(
      '--no-verify-ssl: the service is always verified; put the authority that it is to be trusted by into a file, and its path into AWS_CA_BUNDLE',
    )
  }
  const missing = missingArns(flags)
  if (missing.length > 0) throw new CliError(`missing: ${missing.map((name) => `--${name}`).join(', ')}`)
  const { region, endpoint: given, 'role-session-name': roleSessionName } = flags
  const endpoint = given === '' ? endpointOf(env) : given
  const where = {
    endpoint,
    region: region === '' ? undefined : region,
    useFipsEndpoint: trueOrFalse('AWS_USE_FIPS_ENDPOINT', env),
    useDualstackEndpoint: trueOrFalse('AWS_USE_DUALSTACK_ENDPOINT', env),
  }
  return {
    trustAnchorArn: flags['trust-anchor-arn'],
    profileArn: flags['profile-arn'],
    roleArn: flags['role-arn'],
    durationSeconds: flags.typed.has('session-duration') ? flags['session-duration'] : undefined,
    roleSessionName: roleSessionName === '' ? undefined : roleSessionName,
    ...where,
    ca: fileOf('AWS_CA_BUNDLE', text('AWS_CA_BUNDLE', env)),
    proxy: flags['with-proxy'] ? environmentProxy(() => originOf(where, flags['trust-anchor-arn']), env) : undefined,
    maxAttempts: maxAttemptsOf(env),
    // The original looks at neither; what is odd is said.
    certificateRules: 'warn',
    answerRules: 'warn',
  }
}

function originOf(where: RolesAnywhereEndpointInit, trustAnchorArn: string): URL {
  try {
    return rolesAnywhereEndpoint(where, trustAnchorArn.split(':')[3] ?? '').origin
  } catch {
    return new URL('https://rolesanywhere.amazonaws.com') // there will be no request: the library is about to say what is wrong
  }
}

/** Tries of CreateSession in all. */
export function maxAttemptsOf(env: Environment): number {
  const value = text('AWS_MAX_ATTEMPTS', env)
  if (value === undefined) return 3
  if (/^[1-9]\d?$/.test(value)) return Number(value)
  throw new CliError('AWS_MAX_ATTEMPTS must be a whole number from 1 to 99')
}

/** Where the environment sends requests of this service, unless it is told to be ignored. */
function endpointOf(env: Environment): string | undefined {
  if (trueOrFalse('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', env) === true) return undefined
  return text('AWS_ENDPOINT_URL_ROLESANYWHERE', env) ?? text('AWS_ENDPOINT_URL', env)
}

function trueOrFalse(name: string, env: Environment): boolean | undefined {
  const value = text(name, env)?.toLowerCase()
  if (value === undefined || value === 'true' || value === 'false')
    return value === undefined ? value : value === 'true'
  throw new CliError(`${name} must be true or false`)
}

const text = (name: string, env: Environment): string | undefined => (env[name] === '' ? undefined : env[name])
