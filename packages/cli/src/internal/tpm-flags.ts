import type { OpenTpmHmacInit, SaltKey, TpmOptions } from '@hardbound/hmac-signer-tpm'
import { parsePcrs } from '@hardbound/tpm2/keys'
import { CliError, usageError } from '../cli-error.ts'
import { fileOf, flag, given, inWordsOfFlags, oneOf, required, secondsOf, text } from './flags.ts'
import { readSecret } from './secret-source.ts'

/** Flags that say which TPM, which key in it, and how it is authorised. */
export const TPM_OPTIONS = {
  tpm: text,
  handle: text,
  key: text,
  'key-auth': text,
  'parent-auth': text,
  pcrs: text,
  'use-ek-parent': flag,
  'ek-parent': text,
  'session-encryption-name': text,
  'session-encryption-key': text,
  'tpm-timeout': text,
  'dangerously-allow-tcp': flag,
} as const

/** What was given of {@link TPM_OPTIONS}. */
export type TpmFlags = {
  readonly [key in keyof typeof TPM_OPTIONS]?:
    | ((typeof TPM_OPTIONS)[key]['type'] extends 'boolean' ? boolean : string)
    | undefined
}

/** Which TPM, and how its bus is protected. */
export function tpmOptionsOf(flags: TpmFlags): TpmOptions {
  const name = flags['session-encryption-name']
  const key = flags['session-encryption-key']
  if (name === undefined && key !== undefined) {
    throw usageError(
      '--session-encryption-key needs --session-encryption-name: a key that nobody knows protects from nobody',
    )
  }
  return {
    tpm: required('--tpm', flags.tpm),
    ...given('dangerouslyAllowTcp', flags['dangerously-allow-tcp']),
    ...(name !== undefined && {
      sessionEncryption: { name, ...given('key', saltKeyOf('--session-encryption-key', key)) },
    }),
  }
}

/** A template by name, or a persistent handle. */
export function saltKeyOf(name: string, value: string | undefined): SaltKey | undefined {
  if (value?.startsWith('0x') === true) return handleOf(name, value)
  return oneOf(name, value, ['ek-rsa', 'ek-ecc', 'srk-rsa', 'srk-ecc'])
}

/** The parent's kind, the PCRs and the deadline: of opening and of importing. */
export function keyOptionsOf(flags: TpmFlags) {
  const timeout = secondsOf('--tpm-timeout', flags['tpm-timeout'])
  const ek = oneOf('--ek-parent', flags['ek-parent'], ['rsa', 'ecc'])
  return {
    ...given('useEkParent', ek ?? flags['use-ek-parent']),
    ...given('pcrs', flags.pcrs === undefined ? undefined : inFlags(() => parsePcrs(flags.pcrs as string))),
    ...given('timeoutMs', timeout === undefined ? undefined : timeout * 1000),
  }
}

/** Everything for `openTpmHmac` but the passwords. Reads the key file. */
export function openInitOf(flags: TpmFlags & { 'known-answer'?: string | undefined }): OpenTpmHmacInit {
  if ((flags.handle === undefined) === (flags.key === undefined))
    throw usageError('either --handle or --key is required')
  const pem = fileOf('--key', flags.key)?.toString('utf8')
  return {
    ...tpmOptionsOf(flags),
    ...keyOptionsOf(flags),
    key: pem === undefined ? { handle: handleOf('--handle', flags.handle ?? '') } : { pem },
    ...given('knownAnswer', flags['known-answer']),
  }
}

/**
 * Runs work with the passwords that the flags name, and zeroes them after it.
 *
 * @param names Which of them there can be.
 */
export async function withPasswords<T>(
  flags: Readonly<Record<string, unknown>>,
  names: readonly string[],
  work: (passwords: Readonly<Record<string, Uint8Array>>) => Promise<T>,
): Promise<T> {
  const passwords: Record<string, Buffer> = {}
  try {
    for (const name of names) {
      const source = flags[name]
      if (typeof source !== 'string') continue
      passwords[name.replace(/-a/, 'A')] = await readSecret(source, `--${name}`)
    }
    return await work(passwords)
  } finally {
    for (const password of Object.values(passwords)) password.fill(0)
  }
}

/** A TPM handle, in hexadecimal with `0x`. */
export function handleOf(name: string, value: string): number {
  if (!/^0x81[0-9a-f]{6}$/i.test(value))
    throw usageError(`${name} must be a persistent handle, 0x81000000 to 0x81ffffff`)
  return Number(value)
}

/** Options that their flags are not simply called like. */
const FLAGS: Readonly<Record<string, string>> = {
  'key.handle': '--handle',
  persistentHandle: '--handle',
  'sessionEncryption.name': '--session-encryption-name',
  'sessionEncryption.key': '--session-encryption-key',
  timeoutMs: '--tpm-timeout',
  secret: '--secret',
}

/** Runs a function of the library, and says in the words of flags which option can't be right. */
export function inFlags<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    return tpmFlagsError(cause)
  }
}

/** The same for what a promise was rejected with. */
export const tpmFlagsError = (cause: unknown): never => inWordsOfFlags(cause, FLAGS)

/** Errors of the backend are for the operator: their messages hold no secret. */
export function tpmFailure(cause: unknown): never {
  if (cause instanceof Error && 'code' in cause && /^ERR_HMAC_/.test(String(cause.code))) {
    throw new CliError(`${cause.message} [${String(cause.code)}]`, { cause })
  }
  return tpmFlagsError(cause)
}
