import type { VaultAuth, VaultConnectionInit } from '@hardbound/hmac-signer-kms/vault'
import { CliError, usageError } from '../cli-error.ts'
import { fileOf, flag, given, inWordsOfFlags, required, secondsOf, text, texts } from './flags.ts'
import { readSecret } from './secret-source.ts'

/** Flags that say which Vault, which key in it, and how to get in. */
export const VAULT_OPTIONS = {
  vault: texts,
  'vault-key': text,
  'vault-key-version': text,
  'vault-auth': text,
  'vault-auth-mount': text,
  'vault-mount': text,
  'vault-namespace': text,
  'vault-ca': text,
} as const

/** Flags that say where the key is. */
export const KMS_OPTIONS = {
  ...VAULT_OPTIONS,
  envelope: text,
  'tink-keyset': text,
  kek: text,
  'kms-profile': text,
  'kms-endpoint': text,
  'kms-timeout': text,
  'dangerously-allow-http': flag,
} as const

/** What was given of {@link KMS_OPTIONS}. */
export type KmsFlags = {
  readonly [key in keyof typeof KMS_OPTIONS]?: (typeof KMS_OPTIONS)[key] extends { multiple: true }
    ? readonly string[] | undefined
    : (typeof KMS_OPTIONS)[key]['type'] extends 'boolean'
      ? boolean | undefined
      : string | undefined
}

/** Help for {@link VAULT_OPTIONS}: of two commands. */
export const VAULT_HELP = `Vault (transit engine)
  --vault <url>          https://host[:port] of a node; several times for several nodes. Redirects are followed to these alone
  --vault-key <name>     name of the transit key
  --vault-auth <how>     token:file:/path, token:env:VAULT_TOKEN or token:fd:N; files of mode 0600
                         approle:<role id>:file:/path (or env:NAME, fd:N: where the secret id is)
                         kubernetes:<role>, or kubernetes:<role>:file:/path of another token of a service account
  --vault-auth-mount <path>  where that method is mounted (default: approle, kubernetes)
  --vault-mount <path>   of the transit engine (default: transit)
  --vault-namespace <path>, --vault-key-version <number>
  --vault-ca <file>      PEM of the authorities to trust (default: those of Node)
`

/** Which Vault, and how to get in. Reads secrets that are not in files. */
export async function vaultInitOf(flags: KmsFlags): Promise<VaultConnectionInit> {
  const timeout = secondsOf('--kms-timeout', flags['kms-timeout'])
  return {
    address: flags.vault ?? [],
    auth: await vaultAuthOf(required('--vault-auth', flags['vault-auth']), flags['vault-auth-mount']),
    ...given('mount', flags['vault-mount']),
    ...given('namespace', flags['vault-namespace']),
    ...given('ca', fileOf('--vault-ca', flags['vault-ca'])),
    ...given('timeoutMs', timeout === undefined ? undefined : timeout * 1000),
    ...given('dangerouslyAllowPlaintextEndpoint', flags['dangerously-allow-http']),
  }
}

/** @throws {CliError}; no message holds a value. */
export async function vaultAuthOf(how: string, mount: string | undefined): Promise<VaultAuth> {
  const [, method, rest = ''] = /^(token|approle|kubernetes):(.+)$/.exec(how) ?? []
  if (method === 'token') {
    if (mount !== undefined) throw usageError('--vault-auth-mount is not for tokens')
    const [, tokenFile] = /^file:(.+)$/.exec(rest) ?? []
    return tokenFile === undefined ? { token: await textOf(rest) } : { tokenFile }
  }
  // Role ids and names hold no colon.
  const [, role, source] = /^([^:]+)(?::(.+))?$/.exec(rest) ?? []
  const [, file] = /^file:(.+)$/.exec(source ?? '') ?? []
  if (method === 'approle' && role !== undefined && source !== undefined) {
    const secret = file === undefined ? { secretId: await textOf(source) } : { secretIdFile: file }
    return { appRole: { roleId: role, ...secret, ...given('mount', mount) } }
  }
  if (method === 'kubernetes' && role !== undefined && (source === undefined || file !== undefined)) {
    return { kubernetes: { role, ...given('jwtFile', file), ...given('mount', mount) } }
  }
  throw usageError('--vault-auth must be token:…, approle:<role id>:… or kubernetes:<role>; see --help')
}

async function textOf(source: string): Promise<string> {
  const octets = await readSecret(source, '--vault-auth')
  try {
    return octets.toString('utf8')
  } finally {
    octets.fill(0)
  }
}

/** Exactly one place. */
export function placeOf(flags: KmsFlags): 'envelope' | 'vault' | 'tink-keyset' {
  const given = (['envelope', 'vault', 'tink-keyset'] as const).filter((name) => flags[name] !== undefined)
  const [place] = given
  if (place === undefined || given.length > 1)
    throw usageError('one of --envelope, --vault and --tink-keyset is required')
  return place
}

export function versionOf(flags: KmsFlags): number | undefined {
  const version = flags['vault-key-version']
  if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version)) throw usageError('--vault-key-version must be a number')
  return version === undefined ? undefined : Number(version)
}

/** Options that their flags are not simply called like. */
const FLAGS: Readonly<Record<string, string>> = {
  address: '--vault',
  auth: '--vault-auth',
  'auth.token': '--vault-auth',
  'auth.appRole.roleId': '--vault-auth',
  'auth.kubernetes.role': '--vault-auth',
  mount: '--vault-mount or --vault-auth-mount',
  namespace: '--vault-namespace',
  key: '--vault-key',
  name: '--vault-key',
  keyVersion: '--vault-key-version',
  wrappingKeySha256: '--vault-wrapping-key-sha256',
  endpoint: '--kms-endpoint',
  timeoutMs: '--kms-timeout',
  uri: '--kek',
  keyId: '--key or --kek',
  keyName: '--key or --kek',
}

/** The library's complaint about an option, in the words of flags. */
export const kmsFlagsError = (cause: unknown): never => inWordsOfFlags(cause, FLAGS)

/** Errors of KMS and Vault are for the operator: their messages hold no secret. */
export function kmsFailure(cause: unknown): never {
  if (cause instanceof Error && 'code' in cause && /^ERR_HMAC_/.test(String(cause.code))) {
    throw new CliError(`${cause.message} [${String(cause.code)}]`, { cause })
  }
  return kmsFlagsError(cause)
}
