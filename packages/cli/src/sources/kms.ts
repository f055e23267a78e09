import { openVaultHmac } from '@hardbound/hmac-signer-kms/vault'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { usageError } from '../cli-error.ts'
import { backendOnUse } from '../internal/backend-on-use.ts'
import { fileOf, type GivenOf, given, required } from '../internal/flags.ts'
import { hmacSessions } from '../internal/hmac-sessions.ts'
import { KMS_OPTIONS, kmsFlagsError, placeOf, vaultInitOf, versionOf } from '../internal/kms-flags.ts'
import { endpointOf, guardAgainstOurselves, keyOfEnvelope, timeoutOf } from '../internal/kms-keys.ts'
import { SESSION_FILES, SESSION_OPTIONS } from '../internal/session-flags.ts'
import { AWS_KMS_HELP } from './kms-help.ts'
import type { AwsSource } from './source.ts'

const OPTIONS = { ...KMS_OPTIONS, ...SESSION_OPTIONS } as const
type KmsSourceFlags = GivenOf<typeof OPTIONS>

/** One unwrapping serves the look at open and the first HMAC. */
const CACHE = { maxAgeSeconds: 60, maxUses: 2 }

/** An IAM user whose secret a KMS or Vault guards. */
export const kmsSource: AwsSource = {
  cloud: 'aws',
  name: 'kms',
  help: AWS_KMS_HELP,
  options: OPTIONS,
  files: ['envelope', 'tink-keyset', 'vault-ca', ...SESSION_FILES],
  open: (flags: KmsSourceFlags) => {
    const place = placeOf(flags)
    if ((place === 'tink-keyset') !== (flags.kek !== undefined)) throw usageError('--tink-keyset and --kek go together')
    const json = place === 'vault' ? '' : (fileOf(`--${place}`, flags[place])?.toString('utf8') ?? '')
    const openBackend = () => (place === 'vault' ? openVault(flags) : openWrapped(flags, json))
    const backend = backendOnUse('kms', () => openBackend().catch(kmsFlagsError))
    return { provide: hmacSessions(flags, backend), close: () => backend.close() }
  },
}

async function openVault(flags: KmsSourceFlags): Promise<HmacBackend> {
  return openVaultHmac({
    ...(await vaultInitOf(flags)),
    key: required('--vault-key', flags['vault-key']),
    ...given('keyVersion', versionOf(flags)),
    ...given('knownAnswer', flags['known-answer']),
  })
}

async function openWrapped(flags: KmsSourceFlags, json: string): Promise<HmacBackend> {
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
