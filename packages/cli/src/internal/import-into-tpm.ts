import { resolve } from 'node:path'
import { type ImportedTpmHmacKey, importTpmHmacKey } from '@hardbound/hmac-signer-tpm'
import { usageError } from '../cli-error.ts'
import { note, print, printJson } from '../output.ts'
import { awsHmacKey } from './aws-secret.ts'
import { credentialProcessLine, unattendedSource } from './credential-process-line.ts'
import { given } from './flags.ts'
import { readSecret } from './secret-source.ts'
import { handleOf, keyOptionsOf, type TpmFlags, tpmFailure, tpmOptionsOf, withPasswords } from './tpm-flags.ts'
import { assertNewFile, writeNewFile } from './write-new-file.ts'

/** What was given to `hardbound tpm import`, beside {@link TpmFlags}. */
export interface TpmImportOptions {
  readonly secret?: string
  readonly handle?: string
  readonly out?: string
  readonly parent?: string
  readonly description?: string
  readonly da: boolean
  readonly anySecret?: boolean
  readonly accessKeyId?: string
  readonly region?: string
  readonly json?: boolean
}

/**
 * Reads the secret, has the TPM take it, and says what to do with it.
 *
 * @param all The same options under the names that commander gives them, such as `keyAuth`.
 * @throws {CliError}
 */
export async function importIntoTpm(options: TpmImportOptions, all: Record<string, unknown>): Promise<void> {
  const flags = flagsOf(all)
  const init = initOf(options, flags)
  if (options.out !== undefined) await assertNewFile('--out', options.out)
  if (init.sessionEncryption === undefined) note('the secret goes to the TPM in clear; see --session-encryption-name')
  const typed = await readSecret(options.secret ?? (process.stdin.isTTY ? 'prompt' : 'stdin'), '--secret')
  let secret: Buffer | undefined
  try {
    const key = awsHmacKey(typed, { any: options.anySecret === true })
    secret = key
    const made = await withPasswords(flags, ['key-auth', 'parent-auth', 'owner-auth'], (passwords) =>
      importTpmHmacKey({ ...init, ...passwords, secret: key }),
    )
    await report(made, options, flags)
  } catch (cause) {
    return tpmFailure(cause)
  } finally {
    typed.fill(0)
    secret?.fill(0)
  }
}

function initOf(options: TpmImportOptions, flags: TpmFlags) {
  const { handle, out, parent } = options
  if ((handle === undefined) === (out === undefined)) throw usageError('either --handle or --out is required')
  return {
    ...tpmOptionsOf(flags),
    ...keyOptionsOf(flags),
    ...given('persistentHandle', handle === undefined ? undefined : handleOf('--handle', handle)),
    ...given('parent', parent === undefined ? undefined : handleOf('--parent', parent)),
    ...given('description', options.description),
    noDictionaryAttackProtection: !options.da,
  }
}

/** Says where the key is, and what to put into `~/.aws/config`. */
async function report(
  { pem, name, knownAnswer }: ImportedTpmHmacKey,
  options: TpmImportOptions,
  flags: TpmFlags,
): Promise<void> {
  if (pem !== undefined && options.out !== undefined) await writeNewFile('--out', options.out, pem)
  const line = lineOf(options, flags, knownAnswer)
  const where = options.out === undefined ? { handle: options.handle } : { keyFile: resolve(options.out) }
  if (options.json === true) return printJson({ ...where, name, knownAnswer, line })
  print(`the key is in the TPM and answers as it should
name          ${name}
known answer  ${knownAnswer}

In ~/.aws/config:
${line}`)
}

function lineOf(options: TpmImportOptions, flags: TpmFlags, knownAnswer: string): string {
  const { handle, out } = options
  const parent = out !== undefined && {
    'parent-auth': unattendedSource(flags['parent-auth']),
    'use-ek-parent': flags['use-ek-parent'],
    'ek-parent': flags['ek-parent'],
  }
  return credentialProcessLine('tpm', {
    tpm: flags.tpm,
    handle,
    key: out === undefined ? undefined : resolve(out),
    'key-auth': unattendedSource(flags['key-auth']),
    ...parent,
    pcrs: flags.pcrs,
    'session-encryption-name': flags['session-encryption-name'],
    'session-encryption-key': flags['session-encryption-key'],
    'dangerously-allow-tcp': flags['dangerously-allow-tcp'],
    'known-answer': knownAnswer,
    'access-key-id': options.accessKeyId ?? 'AKIA…',
    region: options.region ?? 'eu-west-1',
  })
}

/** Commander's names to those of the command line: `keyAuth` to `key-auth`. */
function flagsOf(all: Record<string, unknown>): TpmFlags {
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), value]),
  )
}
