import type { OpenTokenInit } from '@hardbound/pkcs11'
import type { OpenTpmKeyInit } from '@hardbound/tpm2/keys'
import type { BrokerConfig } from '../broker-config.ts'
import type { CliError } from '../cli-error.ts'
import { readTextFile } from '../input.ts'
import type { Findings } from './config-error.ts'
import { given } from './flags.ts'
import type { Pkcs11KeyConfig, TpmKeyConfig } from './hardware-key-schema.ts'
import { readSecret } from './secret-source.ts'

/** Where the files are that a configuration names. */
export interface KeyFiles {
  /** The configuration's key, for messages: `aws.identity`. */
  readonly at: string
  readonly pathOf: (file: string) => string
}

/** Opens a key in a TPM with what the configuration says of it; passwords are wiped when it is open. */
export async function withTpmKey<T>(
  tpm: TpmKeyConfig,
  { at, pathOf }: KeyFiles,
  open: (init: OpenTpmKeyInit) => Promise<T>,
): Promise<T> {
  const { parsePcrs } = await import('@hardbound/tpm2/keys')
  const secrets: Buffer[] = []
  const secret = async (file: string | undefined) => {
    if (file === undefined) return undefined
    const octets = await readSecret(`file:${pathOf(file)}`, at)
    secrets.push(octets)
    return octets
  }
  try {
    return await open({
      tpm: tpm.device,
      key:
        tpm.key_file === undefined ? { handle: Number(tpm.handle) } : { pem: await readTextFile(pathOf(tpm.key_file)) },
      ...given('keyAuth', await secret(tpm.key_auth_file)),
      ...given('parentAuth', await secret(tpm.parent_auth_file)),
      ...given('pcrs', tpm.pcrs === undefined ? undefined : parsePcrs(tpm.pcrs)),
      ...given('useEkParent', tpm.use_ek_parent),
      ...given(
        'sessionEncryption',
        tpm.session_encryption_name === undefined ? undefined : { name: tpm.session_encryption_name },
      ),
    })
  } finally {
    for (const octets of secrets) octets.fill(0)
  }
}

/** Opens a key in a PKCS #11 token with what the configuration says of it. */
export async function withPkcs11Key<T>(
  pkcs11: Pkcs11KeyConfig,
  { at, pathOf }: KeyFiles,
  open: (init: Omit<OpenTokenInit, 'readWrite'>) => Promise<T>,
): Promise<T> {
  const pin = pkcs11.pin_file === undefined ? undefined : await readSecret(`file:${pathOf(pkcs11.pin_file)}`, at)
  try {
    return await open({
      uri: pkcs11.uri,
      blockingLimitMs: 0, // a broker has others to serve while the token thinks
      ...given('pin', pin?.toString('utf8')),
      ...given('allowedModules', pkcs11.allow_modules),
    })
  } finally {
    pin?.fill(0)
  }
}

/** Checks what can be checked of a key without touching its device. Problems go to `findings`, under `at`. */
export async function checkHardwareKey(
  { tpm, pkcs11 }: { readonly tpm?: TpmKeyConfig | undefined; readonly pkcs11?: Pkcs11KeyConfig | undefined },
  at: string,
  config: BrokerConfig,
  findings: Findings,
): Promise<void> {
  await checkSecretFile(`${at}.tpm.key_auth_file`, tpm?.key_auth_file, config, findings)
  await checkSecretFile(`${at}.tpm.parent_auth_file`, tpm?.parent_auth_file, config, findings)
  await checkSecretFile(`${at}.pkcs11.pin_file`, pkcs11?.pin_file, config, findings)
  if (tpm?.key_file !== undefined) {
    const { readKeyFile } = await import('@hardbound/tpm2/key-file')
    const path = `${at}.tpm.key_file`
    const pem = await findings.read(path, config.pathOf(tpm.key_file))
    if (pem !== undefined && !canParse(() => readKeyFile(pem))) findings.add(path, 'is no TSS2 PRIVATE KEY')
  }
  if (tpm?.pcrs !== undefined) {
    const { parsePcrs } = await import('@hardbound/tpm2/keys')
    const { pcrs } = tpm
    findings.attempt(`${at}.tpm`, () => parsePcrs(pcrs))
  }
  if (pkcs11 !== undefined) {
    const { parsePkcs11Uri } = await import('@hardbound/pkcs11')
    const uri = findings.attempt(`${at}.pkcs11`, () => parsePkcs11Uri(pkcs11.uri))
    if (uri?.pinValue !== undefined) findings.add(`${at}.pkcs11.uri`, 'must not hold the PIN: use pin_file')
  }
}

/** Makes sure that a file with a secret is there, ours, and open to nobody else. */
export async function checkSecretFile(
  path: string,
  file: string | undefined,
  config: BrokerConfig,
  findings: Findings,
): Promise<void> {
  if (file === undefined) return
  await readSecret(`file:${config.pathOf(file)}`, '').then(
    (octets) => octets.fill(0),
    (error: CliError) => findings.add(path, error.message.replace(/^: /, '')),
  )
}

export function canParse(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}
