import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import type { BrokerConfig } from '../broker-config.ts'
import { CliError } from '../cli-error.ts'
import { readTextFile } from '../input.ts'
import type { AwsIdentityConfig } from './aws-identity-schema.ts'
import type { Findings } from './config-error.ts'
import { given } from './flags.ts'
import {
  canParse,
  checkHardwareKey,
  checkSecretFile,
  type KeyFiles,
  withPkcs11Key,
  withTpmKey,
} from './hardware-keys.ts'

/** The broker's own AWS identity, with its key in hardware or in a KMS. */
export interface AwsIdentity {
  readonly accessKeyId: string
  /**
   * Opens the key, and makes sure that it is the one that was enrolled.
   *
   * @throws {HmacBackendError}
   */
  open(): Promise<HmacBackend>
}

/** Checks `aws.identity` and the files that it names, without touching the hardware. Problems go to `findings`. */
export async function readAwsIdentity(config: BrokerConfig, findings: Findings): Promise<AwsIdentity | undefined> {
  const identity = config.aws?.identity
  if (identity === undefined) return undefined
  await checkHardwareKey(identity, AT, config, findings)
  const { vault, kms } = identity
  await checkSecretFile(`${AT}.vault.token_file`, vault?.token_file, config, findings)
  await checkSecretFile(`${AT}.vault.app_role.secret_id_file`, vault?.app_role?.secret_id_file, config, findings)
  if (vault?.ca_file !== undefined) await findings.read(`${AT}.vault.ca_file`, config.pathOf(vault.ca_file))
  if (kms !== undefined) await checkEnvelope(kms, config, findings)
  const opening: Opening = { at: AT, pathOf: config.pathOf, knownAnswer: identity.known_answer }
  return { accessKeyId: identity.access_key_id, open: () => openBackend(identity, opening) }
}

const AT = 'aws.identity'

/** What the four have in common. */
interface Opening extends KeyFiles {
  readonly knownAnswer: string | undefined
}

async function checkEnvelope(
  { envelope_file }: NonNullable<AwsIdentityConfig['kms']>,
  config: BrokerConfig,
  findings: Findings,
): Promise<void> {
  const { parseEnvelope } = await import('@hardbound/hmac-signer-kms')
  const path = `${AT}.kms.envelope_file`
  const text = await findings.read(path, config.pathOf(envelope_file))
  if (text !== undefined && !canParse(() => parseEnvelope(text))) {
    findings.add(path, 'is no envelope that hardbound kms wrap has written')
  }
}

async function openBackend({ tpm, pkcs11, vault, kms }: AwsIdentityConfig, opening: Opening): Promise<HmacBackend> {
  const knownAnswer = given('knownAnswer', opening.knownAnswer)
  if (tpm !== undefined) {
    const { openTpmHmac } = await import('@hardbound/hmac-signer-tpm')
    return withTpmKey(tpm, opening, (init) => openTpmHmac({ ...init, ...knownAnswer }))
  }
  if (pkcs11 !== undefined) {
    const { openPkcs11Hmac } = await import('@hardbound/hmac-signer-pkcs11')
    return withPkcs11Key(pkcs11, opening, (init) => openPkcs11Hmac({ ...init, ...knownAnswer }))
  }
  if (vault !== undefined) return openVault(vault, opening)
  if (kms !== undefined) return openKms(kms, opening)
  throw new CliError(`${AT}: no backend`) // the schema wants one
}

async function openVault(vault: NonNullable<AwsIdentityConfig['vault']>, opening: Opening): Promise<HmacBackend> {
  const { openVaultHmac } = await import('@hardbound/hmac-signer-kms')
  const { token_file, app_role, kubernetes } = vault
  const mount = (name: string | undefined) => given('mount', name)
  const auth =
    token_file !== undefined
      ? { tokenFile: opening.pathOf(token_file) }
      : app_role !== undefined
        ? {
            appRole: {
              roleId: app_role.role_id,
              secretIdFile: opening.pathOf(app_role.secret_id_file),
              ...mount(app_role.mount),
            },
          }
        : {
            kubernetes: {
              role: kubernetes?.role ?? '',
              ...given('jwtFile', kubernetes?.jwt_file === undefined ? undefined : opening.pathOf(kubernetes.jwt_file)),
              ...mount(kubernetes?.mount),
            },
          }
  const { address } = vault
  const plain = [address].flat().some((it) => it.startsWith('http:')) // on the loopback alone, which the library checks
  return openVaultHmac({
    address,
    key: vault.key,
    auth,
    ...given('keyVersion', vault.key_version),
    ...mount(vault.mount),
    ...given('namespace', vault.namespace),
    ...given('ca', vault.ca_file === undefined ? undefined : await readTextFile(opening.pathOf(vault.ca_file))),
    ...given('dangerouslyAllowPlaintextEndpoint', plain ? true : undefined),
    ...given('knownAnswer', opening.knownAnswer),
  })
}

async function openKms(kms: NonNullable<AwsIdentityConfig['kms']>, opening: Opening): Promise<HmacBackend> {
  const { awsKmsUnwrapper, googleKmsUnwrapper, openWrappedHmac, parseEnvelope } = await import(
    '@hardbound/hmac-signer-kms'
  )
  const envelope = parseEnvelope(await readTextFile(opening.pathOf(kms.envelope_file)))
  const { keyId, context } = envelope
  const unwrap =
    envelope.kms === 'google-kms'
      ? googleKmsUnwrapper({
          keyName: keyId,
          ...given(
            'additionalAuthenticatedData',
            context.additionalAuthenticatedData === undefined
              ? undefined
              : Buffer.from(context.additionalAuthenticatedData, 'base64'),
          ),
        })
      : awsKmsUnwrapper({ keyId, encryptionContext: context })
  return openWrappedHmac({ unwrap, envelope, ...given('knownAnswer', opening.knownAnswer) })
}
