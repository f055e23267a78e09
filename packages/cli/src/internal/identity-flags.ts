import type { OnRolesAnywhereWarning, X509IdentitySource } from '@hardbound/roles-anywhere'
import { usageError } from '../cli-error.ts'
import { flag, type GivenOf, text, texts } from './flags.ts'

// Which X.509 identity: flags of every command that signs with one. How each is opened is in open-identity.ts.

const PKCS11 = { pin: text, 'retry-pin': flag, keypad: flag, 'allow-module': texts, 'pkcs11-timeout': text } as const
const TPM = {
  tpm: text,
  'tpm-key-auth': text,
  'tpm-parent-auth': text,
  pcrs: text,
  'use-ek-parent': flag,
  'ek-parent': text,
  'session-encryption-name': text,
  'session-encryption-key': text,
  'tpm-timeout': text,
  'dangerously-allow-tcp': flag,
} as const
const PAIR = { certificate: text, 'private-key': text, intermediates: text } as const
const STORE = { store: text, selector: text, 'use-latest-expiring': flag } as const

/** Flags that say which certificate and key, and how to get at them. */
export const IDENTITY_OPTIONS = {
  ...PAIR,
  'key-password': text,
  p12: text,
  'p12-password': text,
  spiffe: text,
  'spiffe-id': text,
  ...STORE,
  ...PKCS11,
  ...TPM,
} as const

/** What was given of {@link IDENTITY_OPTIONS}. */
export type IdentityFlags = GivenOf<typeof IDENTITY_OPTIONS>

/** Their part of `--help`. */
export const IDENTITY_HELP = `Identity: one of --certificate, --p12, --store, --spiffe
  --certificate <file>   PEM; or a pkcs11: URI; or stdin, fd:N, env:NAME. Its key and its intermediates may be in the same file
  --private-key <file>   PEM: PKCS #8, also encrypted, PKCS #1, SEC 1, or a TSS2 PRIVATE KEY of a TPM; or a pkcs11: URI; or
                         handle:0x81000101 in a TPM; or stdin, fd:N, env:NAME
  --intermediates <file> PEM, in any order
  --p12 <file>           PKCS #12 with certificate, key and intermediates
  --spiffe <folder>      with svid.0.pem and svid.0.key; --spiffe-id <id> refuses those of another name
  --store <store>        folder:/path with PEM files, p12:/path, pkcs11:…, or system (Windows: system:[local-machine/]<name>; macOS)
  --selector <selector>  which certificate of the store: Key=x509SubjectCN,Value=client Key=x509SanDns,Value=…, or file:///path.json
  --use-latest-expiring  of several that match, the one that expires last

Passwords: file:/path (mode 0600), fd:N, env:NAME, stdin or prompt; never the password itself
  --key-password <source>, --p12-password <source>

PKCS #11 tokens
  --pin <source>         the PIN, before that of a pin-source=file:/path in the URI. A pin-value is refused
  --keypad               the token asks for the PIN at its own keypad
  --retry-pin            try the PIN although a wrong one was given to the token before
  --allow-module <path>  load modules from this folder too, or this file; may be given several times
  --pkcs11-timeout <seconds>  for one signature (default: 5)

TPM
  --tpm <address>        /dev/tpmrm0, which is the default, or unix:/path of a swtpm
  --tpm-key-auth <source>, --tpm-parent-auth <source>   passwords of the key, and of its parent or hierarchy
  --pcrs <list>, --use-ek-parent, --ek-parent <rsa|ecc>, --tpm-timeout <seconds>, --dangerously-allow-tcp   as in hardbound aws tpm
  --session-encryption-name <hex>, --session-encryption-key <key>   encrypt what goes to it; see hardbound tpm name
`

/** Where an identity is, and so what opens it. */
export type IdentityKind =
  | 'pem'
  | 'memory'
  | 'pkcs11'
  | 'tpm'
  | 'p12'
  | 'spiffe'
  | 'folder'
  | 'p12-store'
  | 'tokens'
  | 'system'

const KINDS: Readonly<Record<IdentityKind, { readonly words: string; readonly flags: object }>> = {
  pem: { words: 'a private key in a file', flags: { ...PAIR, 'key-password': text } },
  memory: { words: 'a private key that is read once', flags: { ...PAIR, 'key-password': text } },
  pkcs11: { words: 'a PKCS #11 token', flags: { ...PAIR, ...PKCS11 } },
  tpm: { words: 'a TPM', flags: { ...PAIR, ...TPM } },
  p12: { words: '--p12', flags: { p12: text, 'p12-password': text } },
  spiffe: { words: '--spiffe', flags: { spiffe: text, 'spiffe-id': text } },
  folder: { words: 'a store of that kind', flags: { ...STORE, 'key-password': text } },
  'p12-store': { words: 'a store of that kind', flags: { ...STORE, 'p12-password': text } },
  tokens: { words: 'a store of that kind', flags: { ...STORE, ...PKCS11 } },
  system: { words: 'a store of that kind', flags: STORE },
}

/**
 * Checks the flags of an identity; asks for no password, and opens nothing yet.
 *
 * @returns What reads passwords and makes the identity, once everything else is known to be right. Closing that forgets them.
 * @throws {CliError} naming the flag.
 */
export async function identityOf(
  flags: IdentityFlags,
  onWarning: OnRolesAnywhereWarning,
): Promise<() => Promise<X509IdentitySource>> {
  const ways = [flags.certificate ?? flags['private-key'], flags.p12, flags.store, flags.spiffe]
  if (ways.filter((it) => it !== undefined).length !== 1) {
    throw usageError('one identity is required: --certificate, --p12, --store or --spiffe')
  }
  const { identityKindOf, openerOf } = await import('./open-identity.ts')
  const kind = identityKindOf(flags)
  assertGoTogether(kind, flags)
  return openerOf(kind, flags, onWarning)
}

/** @throws {CliError} where a flag was given that means nothing for such an identity. */
export function assertGoTogether(kind: IdentityKind, flags: IdentityFlags): void {
  const { words, flags: allowed } = KINDS[kind]
  const names = Object.keys(IDENTITY_OPTIONS) as (keyof IdentityFlags)[]
  const wrong = names.find((name) => flags[name] !== undefined && !(name in allowed))
  if (wrong !== undefined) throw usageError(`--${wrong} does not go with ${words}`)
}
