import { DEFAULT_MODULE_FOLDERS, type Pkcs11Uri, parsePkcs11Uri } from '@hardbound/pkcs11'
import { CliError, usageError } from '../cli-error.ts'
import { flag, given, inWordsOfFlags, required, secondsOf, text, texts } from './flags.ts'
import { readSecret } from './secret-source.ts'

/** Flags that say which token, which key in it, and how to get in. */
export const PKCS11_OPTIONS = {
  uri: text,
  pin: text,
  'retry-pin': flag,
  keypad: flag,
  'allow-module': texts,
  'pkcs11-timeout': text,
} as const

/** What was given of {@link PKCS11_OPTIONS}. */
export interface Pkcs11Flags {
  readonly uri?: string | undefined
  readonly pin?: string | undefined
  readonly 'retry-pin'?: boolean | undefined
  readonly keypad?: boolean | undefined
  readonly 'allow-module'?: readonly string[] | undefined
  readonly 'pkcs11-timeout'?: string | undefined
}

/** Their part of `--help`. */
export const PKCS11_HELP = `Token
  --uri <uri>            PKCS #11 URI (RFC 7512) of the key, in quotes (required). It finds the token by token, serial, manufacturer,
                         model, slot-id …, the key by object and id, the module by module-path (default: p11-kit), and the PIN by
                         pin-source=file:/path (mode 0600). A pin-value is refused: arguments are no place for secrets
  --pin <source>         the PIN: file:/path (mode 0600), fd:N, env:NAME or prompt
  --keypad               the token asks for the PIN at its own keypad
  --retry-pin            try the PIN although a wrong one was given to the token before
  --allow-module <path>  load modules from this folder too, or this file: absolute (beside ${DEFAULT_MODULE_FOLDERS.slice(0, 2).join(', ')} …); may be given several times
  --pkcs11-timeout <seconds>  for one HMAC (default: 5)
`

/** Everything for `openPkcs11Hmac` and `importPkcs11HmacKey` but the PIN. */
export function tokenInitOf(flags: Pkcs11Flags) {
  return { uri: uriOf(required('--uri', flags.uri)), ...tokenOptionsOf(flags) }
}

/** The same without the URI. */
export function tokenOptionsOf(flags: Pkcs11Flags) {
  const timeout = secondsOf('--pkcs11-timeout', flags['pkcs11-timeout'])
  return {
    ...given('tryPinWhenCountLow', flags['retry-pin']),
    ...given('protectedAuthentication', flags.keypad),
    ...given('allowedModules', allowedModulesOf(flags['allow-module'])),
    ...given('timeoutMs', timeout === undefined ? undefined : timeout * 1000),
  }
}

/** Modules may come from there too. */
export function allowedModulesOf(paths: readonly string[] | undefined): readonly string[] | undefined {
  return paths === undefined ? undefined : [...DEFAULT_MODULE_FOLDERS, ...paths]
}

/** @throws {CliError} where it is none, or holds the PIN. */
export function uriOf(value: string, name = '--uri'): Pkcs11Uri {
  let uri: Pkcs11Uri
  try {
    uri = parsePkcs11Uri(value)
  } catch (cause) {
    throw usageError(`${name}: ${cause instanceof TypeError ? cause.message : 'it is no PKCS #11 URI'}`)
  }
  if (uri.pinValue !== undefined) {
    throw usageError(`${name} must not hold the PIN: arguments can be seen by all; use pin-source=file:/path, or --pin`)
  }
  return uri
}

/** The PIN, if a flag names where it is. Strings can't be zeroed; the octets are. */
export async function pinOf(flags: Pkcs11Flags): Promise<{ pin?: string }> {
  if (flags.pin === undefined) return {}
  const octets = await readSecret(flags.pin, '--pin')
  try {
    return { pin: octets.toString('utf8') }
  } finally {
    octets.fill(0)
  }
}

/** Options that their flags are not simply called like. */
const FLAGS: Readonly<Record<string, string>> = {
  timeoutMs: '--pkcs11-timeout',
  moduleName: '--uri',
  allowedModules: '--allow-module',
}

/** The library's complaint about an option, in the words of flags. */
export const pkcs11FlagsError = (cause: unknown): never => inWordsOfFlags(cause, FLAGS)

/** Errors of token and backend are for the operator: their messages hold no secret. */
export function pkcs11Failure(cause: unknown): never {
  if (cause instanceof Error && 'code' in cause && /^ERR_(HMAC|PKCS11)_/.test(String(cause.code))) {
    throw new CliError(`${cause.message} [${String(cause.code)}]`, { cause })
  }
  return pkcs11FlagsError(cause)
}
