import { openVaultHmac } from '@hardbound/hmac-signer-kms/vault'
import { fromHmac } from '@hardbound/sigv4-hmac'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { AWS_KMS_HELP } from './aws-kms-help.ts'
import { usageError } from './cli-error.ts'
import { backendOnUse } from './internal/backend-on-use.ts'
import { fileOf, given, help, parseFlags, required } from './internal/flags.ts'
import { KMS_OPTIONS, kmsFlagsError, placeOf, vaultInitOf, versionOf } from './internal/kms-flags.ts'
import { endpointOf, guardAgainstOurselves, keyOfEnvelope, timeoutOf } from './internal/kms-keys.ts'
import { runProcessCredential } from './internal/process-credential.ts'
import { SESSION_OPTIONS, sessionInitOf, withFlagNames } from './internal/session-flags.ts'

const parse = (args: string[]) => parseFlags(args, { ...KMS_OPTIONS, ...SESSION_OPTIONS, help })
type Flags = ReturnType<typeof parse>

/** One unwrapping serves the look at open and the only HMAC. */
const CACHE = { maxAgeSeconds: 60, maxUses: 2 }

async function openVault(flags: Flags): Promise<HmacBackend> {
  return openVaultHmac({
    ...(await vaultInitOf(flags)),
    key: required('--vault-key', flags['vault-key']),
    ...given('keyVersion', versionOf(flags)),
    ...given('knownAnswer', flags['known-answer']),
  })
}

async function openWrapped(flags: Flags, json: string): Promise<HmacBackend> {
  guardAgainstOurselves(flags)
  const library = await import('@hardbound/hmac-signer-kms')
  const common = { cache: CACHE, timeoutMs: timeoutOf(flags), ...given('knownAnswer', flags['known-answer']) }
  if (flags['tink-keyset'] === undefined) {
    const envelope = library.parseEnvelope(json)
    return library.openWrappedHmac({ ...common, envelope, unwrap: keyOfEnvelope(library, envelope, flags) })
  }
  const services = { aws: endpointOf(flags), google: { ...endpointOf(flags), timeoutMs: timeoutOf(flags) } }
  const unwrap = library.tinkKekUnwrapper(required('--kek', flags.kek), services)
  return library.openTinkHmac({ ...common, keyset: json, unwrap })
}

async function provide(flags: Flags) {
  const place = placeOf(flags)
  if ((place === 'tink-keyset') !== (flags.kek !== undefined)) throw usageError('--tink-keyset and --kek go together')
  const json = place === 'vault' ? '' : (fileOf(`--${place}`, flags[place])?.toString('utf8') ?? '')
  const open = () => (place === 'vault' ? openVault(flags) : openWrapped(flags, json))
  const backend = backendOnUse('kms', () => open().catch(kmsFlagsError))
  const provider = withFlagNames(() => fromHmac({ ...sessionInitOf(flags), backend }))
  try {
    return await provider()
  } finally {
    await backend.close()
  }
}

void runProcessCredential({ command: 'hardbound aws kms', help: AWS_KMS_HELP, parse, provide }, process.argv.slice(4))
