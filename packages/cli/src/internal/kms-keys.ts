import type { Envelope, KeyWrapper } from '@hardbound/hmac-signer-kms'
import { usageError } from '../cli-error.ts'
import { given, secondsOf } from './flags.ts'
import type { KmsFlags } from './kms-flags.ts'

// The library is loaded, not bundled: it finds the cloud SDKs beside itself.
type Library = typeof import('@hardbound/hmac-signer-kms')

/** What both services' keys take from flags. */
export function endpointOf(flags: KmsFlags) {
  return {
    ...given('endpoint', flags['kms-endpoint']),
    ...given('dangerouslyAllowPlaintextEndpoint', flags['dangerously-allow-http']),
  }
}

/** Milliseconds for one HMAC. The SDKs take their time to load. */
export function timeoutOf(flags: KmsFlags): number {
  return (secondsOf('--kms-timeout', flags['kms-timeout']) ?? 10) * 1000
}

/** The key that an envelope names. */
export function keyOfEnvelope(library: Library, { kms, keyId, context }: Envelope, flags: KmsFlags): KeyWrapper {
  const common = endpointOf(flags)
  if (kms === 'aws-kms') return library.awsKmsUnwrapper({ ...common, keyId, encryptionContext: context })
  const { additionalAuthenticatedData: data, ...unknown } = context
  if (kms !== 'google-kms' || Object.keys(unknown).length > 0)
    throw usageError('--envelope is for a KMS that is not known')
  return library.googleKmsUnwrapper({
    ...common,
    keyName: keyId,
    timeoutMs: timeoutOf(flags),
    ...given('additionalAuthenticatedData', data === undefined ? undefined : Buffer.from(data, 'base64')),
  })
}

const GUARD = 'HARDBOUND_ASKING_KMS'
let profile: string | undefined

/**
 * AWS KMS wants credentials itself, from the SDK's chain. Where that chain ends in this very credential_process, each would
 * start the next. The chain looks at one profile for the whole process.
 *
 * @throws {CliError}
 */
export function guardAgainstOurselves(flags: KmsFlags): void {
  const asking = process.env[GUARD]
  if (asking !== undefined && asking !== String(process.pid)) {
    throw usageError(
      'the keys to ask AWS KMS with would come from this same command: name another profile with --kms-profile',
    )
  }
  const wanted = flags['kms-profile'] ?? ''
  if (profile !== undefined && profile !== wanted) {
    throw usageError('all sources of one process must have the same --kms-profile, or none')
  }
  profile = wanted
  process.env[GUARD] = String(process.pid)
  if (wanted !== '') process.env.AWS_PROFILE = wanted
}
