import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  callerIdentityCheck,
  confidentialSpaceLauncher,
  EkmCredentialError,
  type FromEkmInit,
} from '@hardbound/aws-ekm-credential'
import { CliError, usageError } from '../cli-error.ts'

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const OPTIONS = {
  broker: text,
  audience: text,
  'role-arn': text,
  duration: text,
  ca: text,
  pin: { ...text, multiple: true },
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
  help: { ...flag, short: 'h' },
} as const

/** What was given to `hardbound aws ekm`, as text. */
export type EkmFlags = ReturnType<typeof parseEkmFlags>

/** @throws {CliError} with exit code 2; no message holds a value. */
export function parseEkmFlags(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, strict: true, allowPositionals: false }).values
  } catch (cause) {
    // Its message may quote what was given, which is more than a flag's name where a value has come loose.
    const [, name] = /'(?:-\w, )?(--[\w-]+)/.exec(cause instanceof Error ? cause.message : '') ?? []
    const unknown = cause instanceof Error && 'code' in cause && cause.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
    if (name === undefined) throw usageError('only flags are expected')
    throw usageError(unknown ? `unknown flag ${name}` : `${name} has no value, or one where it takes none`)
  }
}

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

/** A property that is there, or none. */
function given<K extends string, V>(name: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [key in K]: V })
}

function oneOf<const T extends string>(name: string, value: string | undefined, choices: readonly T[]): T | undefined {
  if (value === undefined) return undefined
  const choice = choices.find((it) => it === value)
  if (choice === undefined) throw usageError(`${name} must be ${choices.join(' or ')}`)
  return choice
}

function secondsOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,4}$/.test(value)) throw usageError(`${name} must be whole seconds, from 1`)
  return Number(value)
}

function fileOf(name: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new CliError(`${name}: ${path} can't be read (${code})`, { cause })
  }
}
