// All flags of the drop-in, once: parser, help and completion are made of this table, and so are the types.

/** One flag. `kind` is what its value becomes; `help` is one line. */
export type FlagSpec =
  | { readonly kind: 'string'; readonly default: string; readonly choices?: readonly string[]; readonly help: string }
  | { readonly kind: 'bool'; readonly default: false; readonly help: string }
  | { readonly kind: 'int'; readonly default: number; readonly help: string }

const text = <const T extends string = string>(help: string, value = '', choices?: readonly T[]) =>
  ({ kind: 'string', default: value, help, ...(choices === undefined ? {} : { choices }) }) as {
    readonly kind: 'string'
    readonly default: T
    readonly choices?: readonly T[]
    readonly help: string
  }
const bool = (help: string) => ({ kind: 'bool', default: false, help }) as const
const int = (help: string, value: number) => ({ kind: 'int' as const, default: value, help })

/** Every flag of every command. Names, kinds and defaults are those of the original, but `allow-uid`, which is ours. */
export const FLAGS = {
  'role-arn': text('ARN of the role to assume'),
  'profile-arn': text('ARN of the Roles Anywhere profile'),
  'trust-anchor-arn': text('ARN of the trust anchor'),
  'session-duration': int('seconds that the session lasts, 900 to 43200; left to the profile where not given', 3600),
  region: text('AWS region; that of the trust anchor where not given'),
  endpoint: text('URL to call in place of that of AWS'),
  'no-verify-ssl': bool('refused: put the authority to trust into AWS_CA_BUNDLE'),
  'with-proxy': bool('use the proxy of HTTPS_PROXY, but for what NO_PROXY has'),
  debug: bool('say more on stderr; never a secret'),
  certificate: text('certificate: PEM file, also with its key; PKCS #12 file; or pkcs11: URI'),
  'private-key': text('private key: PEM file, also that of a TPM; pkcs11: URI; or handle: of a TPM'),
  intermediates: text('PEM file of intermediate certificates'),
  'cert-selector': text('which certificate of a store: Key=x509Subject,Value=… or file:///path/to.json'),
  'system-store-name': text('certificate store of the system to look in (Windows)', 'MY'),
  'use-latest-expiring-certificate': bool('of several certificates that match, the one that expires last'),
  'pkcs11-lib': text('PKCS #11 module; p11-kit-proxy where not given'),
  'reuse-pin': bool("give the user's PIN also where a key wants one for each use"),
  'tpm-key-password': text('password of a key in a TPM; can be seen by others, so better leave it to be asked for'),
  'no-tpm-key-password': bool('the key in a TPM has no password; needed with handle:'),
  'role-session-name': text('name of the session; the profile must accept one'),
  'pkcs8-password': text(
    'password of an encrypted key file; can be seen by others, so better leave it to be asked for',
  ),
  port: int('port on 127.0.0.1; 0 takes a free one', 9911),
  'hop-limit': int('accepted, but Node can not set it: 64, or a warning', 64),
  'allow-uid': text('user ids beside its own that serve answers, with commas between'),
  profile: text('profile to write', 'default'),
  once: bool('write once and end'),
  format: text('json, text or bin', 'json', ['json', 'text', 'bin']),
  digest: text('SHA256, SHA384 or SHA512', 'SHA256', ['SHA256', 'SHA384', 'SHA512']),
  'no-descriptions': bool('accepted: there are none'),
} as const satisfies Readonly<Record<string, FlagSpec>>

/** Name of a flag, without its dashes. */
export type FlagName = keyof typeof FLAGS

const SIGNER = [
  'certificate',
  'private-key',
  'cert-selector',
  'system-store-name',
  'use-latest-expiring-certificate',
  'pkcs11-lib',
  'reuse-pin',
  'tpm-key-password',
  'no-tpm-key-password',
  'pkcs8-password',
  'debug',
] as const
const SESSION = [
  ...SIGNER,
  'intermediates',
  'role-arn',
  'profile-arn',
  'trust-anchor-arn',
  'session-duration',
  'region',
  'endpoint',
  'no-verify-ssl',
  'with-proxy',
  'role-session-name',
] as const

/** Which flags each command has. The order is that in which the original suggests commands. */
export const FLAGS_OF = {
  'credential-process': SESSION,
  'read-certificate-data': ['certificate', 'cert-selector', 'system-store-name', 'pkcs11-lib', 'debug'],
  serve: [...SESSION, 'port', 'hop-limit', 'allow-uid'],
  'sign-string': [...SIGNER, 'format', 'digest'],
  update: [...SESSION, 'profile', 'once'],
  version: [],
  help: [],
  completion: ['no-descriptions'],
} as const satisfies Readonly<Record<string, readonly FlagName[]>>

/** What may come first on the command line. */
export type CommandName = keyof typeof FLAGS_OF
