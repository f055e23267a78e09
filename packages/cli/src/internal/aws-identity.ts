import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import type { BrokerConfig } from '../broker-config.ts'
import { CliError } from '../cli-error.ts'
import { readTextFile } from '../input.ts'
import type { AwsIdentityConfig } from './aws-identity-schema.ts'
import type { Findings } from './config-error.ts'
import { given } from './flags.ts'
import { readSecret } from './secret-source.ts'

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
  const { identity } = config.aws
  if (identity === undefined) return undefined
  for (const [key, file] of secretFiles(identity)) {
    await readSecret(`file:${config.pathOf(file)}`, '').then(
      (octets) => octets.fill(0),
      (error: CliError) => findings.add(`aws.identity.${key}`, error.message.replace(/^: /, '')),
    )
  }
  await checkFormats(identity, config, findings)
  const opening: Opening = {
    pathOf: config.pathOf,
    knownAnswer: identity.known_answer,
    secret: (file) => readSecret(`file:${config.pathOf(file)}`, 'aws.identity'),
  }
  return {
    accessKeyId: identity.access_key_id,
    open: async () => {
      const { tpm, pkcs11, vault, kms } = identity
      if (tpm !== undefined) return openTpm(tpm, opening)
      if (pkcs11 !== undefined) return openPkcs11(pkcs11, opening)
      if (vault !== undefined) return openVault(vault, opening)
      if (kms !== undefined) return openKms(kms, opening)
      throw new CliError('aws.identity: no backend') // the schema wants one
    },
  }
}

/** What the four have in common. */
interface Opening {
  readonly pathOf: (file: string) => string
  readonly knownAnswer: string | undefined
  readonly secret: (file: string) => Promise<Buffer>
}

function secretFiles({ tpm, pkcs11, vault }: AwsIdentityConfig): [key: string, file: string][] {
  const named: [string, string | undefined][] = [
    ['tpm.key_auth_file', tpm?.key_auth_file],
    ['tpm.parent_auth_file', tpm?.parent_auth_file],
    ['pkcs11.pin_file', pkcs11?.pin_file],
    ['vault.token_file', vault?.token_file],
    ['vault.app_role.secret_id_file', vault?.app_role?.secret_id_file],
  ]
  return named.filter((it): it is [string, string] => it[1] !== undefined)
}

async function checkFormats({ tpm, pkcs11, vault, kms }: AwsIdentityConfig, config: BrokerConfig, findings: Findings) {
  const at = 'aws.identity'
  const read = (key: string, file: string) => findings.read(`${at}.${key}`, config.pathOf(file))
  if (tpm?.key_file !== undefined) {
    const { readKeyFile } = await import('@hardbound/tpm2/key-file')
    await readable(read('tpm.key_file', tpm.key_file), readKeyFile, () =>
      findings.add(`${at}.tpm.key_file`, 'is no TSS2 PRIVATE KEY'),
    )
  }
  if (tpm?.pcrs !== undefined) {
    const { parsePcrs } = await import('@hardbound/hmac-signer-tpm')
    const { pcrs } = tpm
    findings.attempt(`${at}.tpm`, () => parsePcrs(pcrs))
  }
  if (pkcs11 !== undefined) {
    const { parsePkcs11Uri } = await import('@hardbound/pkcs11')
    const uri = findings.attempt(`${at}.pkcs11`, () => parsePkcs11Uri(pkcs11.uri))
    if (uri?.pinValue !== undefined) findings.add(`${at}.pkcs11.uri`, 'must not hold the PIN: use pin_file')
  }
  if (vault?.ca_file !== undefined) await read('vault.ca_file', vault.ca_file)
  if (kms !== undefined) {
    const { parseEnvelope } = await import('@hardbound/hmac-signer-kms')
    await readable(read('kms.envelope_file', kms.envelope_file), parseEnvelope, () =>
      findings.add(`${at}.kms.envelope_file`, 'is no envelope that hardbound kms wrap has written'),
    )
  }
}

async function readable(text: Promise<string | undefined>, parse: (text: string) => unknown, otherwise: () => void) {
  const content = await text
  if (content === undefined) return
  try {
    parse(content)
  } catch {
    otherwise()
  }
}

async function openTpm(tpm: NonNullable<AwsIdentityConfig['tpm']>, opening: Opening): Promise<HmacBackend> {
  const { openTpmHmac, parsePcrs } = await import('@hardbound/hmac-signer-tpm')
  let keyAuth: Buffer | undefined
  let parentAuth: Buffer | undefined
  try {
    if (tpm.key_auth_file !== undefined) keyAuth = await opening.secret(tpm.key_auth_file)
    if (tpm.parent_auth_file !== undefined) parentAuth = await opening.secret(tpm.parent_auth_file)
    return await openTpmHmac({
      tpm: tpm.device,
      key:
        tpm.key_file === undefined
          ? { handle: Number(tpm.handle) }
          : { pem: await readTextFile(opening.pathOf(tpm.key_file)) },
      ...given('keyAuth', keyAuth),
      ...given('parentAuth', parentAuth),
      ...given('pcrs', tpm.pcrs === undefined ? undefined : parsePcrs(tpm.pcrs)),
      ...given('useEkParent', tpm.use_ek_parent),
      ...given(
        'sessionEncryption',
        tpm.session_encryption_name === undefined ? undefined : { name: tpm.session_encryption_name },
      ),
      ...given('knownAnswer', opening.knownAnswer),
    })
  } finally {
    keyAuth?.fill(0)
    parentAuth?.fill(0)
  }
}

async function openPkcs11(pkcs11: NonNullable<AwsIdentityConfig['pkcs11']>, opening: Opening): Promise<HmacBackend> {
  const { openPkcs11Hmac } = await import('@hardbound/hmac-signer-pkcs11')
  const pin = pkcs11.pin_file === undefined ? undefined : await opening.secret(pkcs11.pin_file)
  try {
    return await openPkcs11Hmac({
      uri: pkcs11.uri,
      blockingLimitMs: 0, // a broker has others to serve while the token thinks
      ...given('pin', pin?.toString('utf8')),
      ...given('allowedModules', pkcs11.allow_modules),
      ...given('knownAnswer', opening.knownAnswer),
    })
  } finally {
    pin?.fill(0)
  }
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
