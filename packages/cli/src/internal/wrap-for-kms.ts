import { resolve } from 'node:path'
import {
  awsKmsUnwrapper,
  formatEnvelope,
  googleKmsUnwrapper,
  importVaultKey,
  type KeyWrapper,
  openVaultHmac,
  openWrappedHmac,
  wrapSecret,
} from '@hardbound/hmac-signer-kms'
import { type HmacBackend, knownAnswer } from '@hardbound/sigv4-hmac/backend'
import { usageError } from '../cli-error.ts'
import { print, printJson } from '../output.ts'
import { awsHmacKey } from './aws-secret.ts'
import { credentialProcessLine, unattendedSource } from './credential-process-line.ts'
import { given, required } from './flags.ts'
import { type KmsFlags, kmsFailure, vaultInitOf } from './kms-flags.ts'
import { endpointOf, timeoutOf } from './kms-keys.ts'
import { readSecret } from './secret-source.ts'
import { assertNewFile, writeNewFile } from './write-new-file.ts'

/** What was given to `hardbound kms wrap`. */
export interface KmsWrapOptions {
  readonly key?: string
  readonly out?: string
  readonly encryptionContext?: readonly string[]
  readonly aad?: string
  readonly kmsProfile?: string
  readonly kmsEndpoint?: string
  readonly kmsTimeout?: string
  readonly vault?: readonly string[]
  readonly vaultKey?: string
  readonly vaultAuth?: string
  readonly vaultAuthMount?: string
  readonly vaultMount?: string
  readonly vaultNamespace?: string
  readonly vaultCa?: string
  readonly vaultWrappingKeySha256?: string
  readonly secret?: string
  readonly anySecret?: boolean
  readonly accessKeyId?: string
  readonly region?: string
  readonly dangerouslyAllowHttp?: boolean
  readonly json?: boolean
}

interface Done {
  readonly knownAnswer: string
  /** Flags of `hardbound aws kms` that find it again. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly envelope?: string
}

/**
 * Reads the secret, has it wrapped or imported, tries it, and says what to do with it.
 *
 * @throws {CliError}
 */
export async function wrapForKms(options: KmsWrapOptions): Promise<void> {
  if ((options.key === undefined) === (options.vault === undefined))
    throw usageError('either --key or --vault is required')
  const flags = flagsOf(options)
  const put = options.vault === undefined ? await wrapper(options, flags) : await importer(options, flags)
  const typed = await readSecret(options.secret ?? (process.stdin.isTTY ? 'prompt' : 'stdin'), '--secret')
  let key: Buffer | undefined
  try {
    key = awsHmacKey(typed, { any: options.anySecret === true })
    report(await put(key), options)
  } catch (cause) {
    return kmsFailure(cause)
  } finally {
    typed.fill(0)
    key?.fill(0)
  }
}

/** Checks everything that can be checked before anybody types a secret. */
async function wrapper(options: KmsWrapOptions, flags: KmsFlags): Promise<(key: Buffer) => Promise<Done>> {
  const out = required('--out', options.out)
  const timeoutMs = timeoutOf(flags)
  const keyOf = (): KeyWrapper => {
    try {
      return kmsKeyOf(options, flags)
    } catch (cause) {
      return kmsFailure(cause)
    }
  }
  const first = keyOf()
  await assertNewFile('--out', out)
  if (options.kmsProfile !== undefined) process.env.AWS_PROFILE = options.kmsProfile
  return async (key) => {
    const envelope = formatEnvelope(await wrapSecret({ wrap: first, key, timeoutMs }).finally(() => first.close()))
    const answer = await tried(openWrappedHmac({ unwrap: keyOf(), envelope, timeoutMs, cache: { maxUses: 2 } }))
    await writeNewFile('--out', out, envelope)
    const { kmsProfile, kmsEndpoint, dangerouslyAllowHttp } = options
    return {
      knownAnswer: answer,
      envelope: out,
      flags: {
        envelope: resolve(out),
        'kms-profile': kmsProfile,
        'kms-endpoint': kmsEndpoint,
        'dangerously-allow-http': dangerouslyAllowHttp,
      },
    }
  }
}

function kmsKeyOf({ key = '', encryptionContext, aad }: KmsWrapOptions, flags: KmsFlags): KeyWrapper {
  const common = endpointOf(flags)
  if (key.startsWith('arn:')) {
    if (aad !== undefined) throw usageError('--aad is for Google Cloud KMS; AWS KMS has --encryption-context')
    return awsKmsUnwrapper({
      ...common,
      keyId: key,
      encryptionContext: Object.fromEntries((encryptionContext ?? []).map(pairOf)),
    })
  }
  if (encryptionContext !== undefined)
    throw usageError('--encryption-context is for AWS KMS; Google Cloud KMS has --aad')
  const data = given('additionalAuthenticatedData', aad === undefined ? undefined : Buffer.from(aad))
  return googleKmsUnwrapper({ ...common, keyName: key, timeoutMs: timeoutOf(flags), ...data })
}

async function importer(options: KmsWrapOptions, flags: KmsFlags): Promise<(key: Buffer) => Promise<Done>> {
  const name = required('--vault-key', options.vaultKey)
  if (options.out !== undefined) throw usageError('--out is for --key; Vault keeps the key itself')
  if (options.vaultAuth?.endsWith(':stdin') === true) throw usageError('--vault-auth can not be stdin')
  const init = { timeoutMs: 10_000, ...(await vaultInitOf(flags)) }
  return async (key) => {
    await importVaultKey({ ...init, name, key, ...given('wrappingKeySha256', options.vaultWrappingKeySha256) })
    const {
      vault,
      'vault-auth-mount': authMount,
      'vault-mount': mount,
      'vault-namespace': namespace,
      'vault-ca': ca,
    } = flags
    return {
      knownAnswer: await tried(openVaultHmac({ ...init, key: name, keyVersion: 1 })),
      flags: {
        vault: vault?.[0],
        'vault-key': name,
        'vault-key-version': '1',
        'vault-auth': authLine(options.vaultAuth ?? ''),
        'vault-auth-mount': authMount,
        'vault-mount': mount,
        'vault-namespace': namespace,
        'vault-ca': ca === undefined ? undefined : resolve(ca),
        'dangerously-allow-http': flags['dangerously-allow-http'],
      },
    }
  }
}

/** Who puts keys in is seldom who uses them; at least the form is right. */
const authLine = (auth: string): string =>
  auth.replace(/(file|env|fd):.*$/, (source) => unattendedSource(source) ?? source)

/** Opens it as `hardbound aws kms` will, and notes what it answers. */
async function tried(opening: Promise<HmacBackend>): Promise<string> {
  const backend = await opening
  try {
    return await knownAnswer(backend)
  } finally {
    await backend.close()
  }
}

function pairOf(pair: string): [string, string] {
  const at = pair.indexOf('=')
  if (at < 1) throw usageError('--encryption-context must be key=value')
  return [pair.slice(0, at), pair.slice(at + 1)]
}

/** The names that commander makes, as they are typed. */
function flagsOf(options: KmsWrapOptions): KmsFlags {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replace(/[A-Z]/g, (it) => `-${it.toLowerCase()}`),
      value as unknown,
    ]),
  )
}

function report({ knownAnswer, flags, envelope }: Done, { accessKeyId, region, json }: KmsWrapOptions): void {
  const where = { 'access-key-id': accessKeyId ?? 'AKIA…', region: region ?? 'eu-west-1' }
  const line = credentialProcessLine('kms', { ...flags, 'known-answer': knownAnswer, ...where })
  if (json === true) printJson({ ...given('envelope', envelope), knownAnswer, line })
  else
    print(`${envelope === undefined ? 'the key is in Vault' : `the key is wrapped in ${envelope}`} and answers as it should
known answer  ${knownAnswer}

In ~/.aws/config:
${line}`)
}
