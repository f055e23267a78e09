import { X509Certificate } from 'node:crypto'
import { type AzureCertificateCredential, clientCertificate } from '@hardbound/broker-core'
import { CliError } from '../cli-error.ts'
import { fileProblem, readTextFile } from '../input.ts'
import type { AzureApplicationConfig } from './azure-schema.ts'
import { given } from './flags.ts'
import { type KeyFiles, withPkcs11Key, withTpmKey } from './hardware-keys.ts'
import { readPrivateFile, readSecret } from './secret-source.ts'

/** What `credential.certificate` of an application says. */
export type CertificateConfig = NonNullable<AzureApplicationConfig['credential']['certificate']>

/** A certificate whose key can be used. */
export interface OpenCertificate {
  readonly credential: AzureCertificateCredential
  /** Gives a key in hardware back. */
  close(): Promise<void>
}

/** Whether the key is in hardware, and so can't be looked at without touching it. */
export const isInHardware = ({ tpm, pkcs11 }: CertificateConfig): boolean => tpm !== undefined || pkcs11 !== undefined

/**
 * Opens the key, wherever it is.
 *
 * @throws {CliError}, or an error of broker-core, pkcs11 or tpm2, whose messages may be shown.
 */
export async function openCertificate(config: CertificateConfig, files: KeyFiles): Promise<OpenCertificate> {
  if (!isInHardware(config)) return { credential: await softwareCertificate(config, files), close: async () => {} }
  const fromFile = await certificateIn(config, files)
  const key = await openKey(config, files)
  const certificate = fromFile ?? key.certificate
  if (certificate === undefined) {
    await key.close()
    throw new CliError('no certificate lies beside the key in the token: name certificate_file')
  }
  const credential = { kind: 'certificate', certificate, key, ...given('alg', config.algorithm) } as const
  return { credential, close: () => key.close() }
}

async function openKey({ tpm, pkcs11 }: CertificateConfig, files: KeyFiles) {
  if (tpm !== undefined) {
    const { openTpmSigningKey } = await import('@hardbound/tpm2/signing-key')
    return withTpmKey(tpm, files, openTpmSigningKey)
  }
  if (pkcs11 !== undefined) {
    const { openPkcs11SigningKey } = await import('@hardbound/pkcs11/signing-key')
    return withPkcs11Key(pkcs11, files, openPkcs11SigningKey)
  }
  throw new CliError('no key') // the schema wants one
}

/** @throws {CliError} or {AzureCredentialError} */
export async function softwareCertificate(
  config: CertificateConfig,
  { pathOf }: KeyFiles,
): Promise<AzureCertificateCredential> {
  const alg = given('alg', config.algorithm)
  if (config.pfx_file !== undefined) {
    const pfx = readPrivateFile(pathOf(config.pfx_file), 'pfx_file', MAX_OCTETS)
    return clientCertificate({ pfx, password: (await passwordIn(config.password_file, pathOf)) ?? '', ...alg })
  }
  const { certificate_file = '', key_file = '' } = config // the schema wants them
  const key = readPrivateFile(pathOf(key_file), 'key_file', MAX_OCTETS).toString('utf8')
  const rest = key_file === certificate_file ? '' : await read(pathOf(certificate_file))
  const passphrase = await passwordIn(config.passphrase_file, pathOf)
  return clientCertificate({ pem: `${rest}\n${key}`, ...given('passphrase', passphrase), ...alg })
}

/** DER of `certificate_file`. @throws {CliError} */
export async function certificateIn(config: CertificateConfig, { pathOf }: KeyFiles): Promise<Uint8Array | undefined> {
  if (config.certificate_file === undefined) return undefined
  const path = pathOf(config.certificate_file)
  const pem = await read(path)
  try {
    return new X509Certificate(pem).raw
  } catch (cause) {
    throw new CliError(`${path} holds no certificate in PEM`, { cause })
  }
}

async function passwordIn(file: string | undefined, pathOf: KeyFiles['pathOf']): Promise<string | undefined> {
  if (file === undefined) return undefined
  const octets = await readSecret(`file:${pathOf(file)}`, 'password')
  try {
    return octets.toString('utf8')
  } finally {
    octets.fill(0)
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readTextFile(path)
  } catch (cause) {
    throw new CliError(`${path} ${fileProblem(cause)}`, { cause })
  }
}

/** Larger ones are no key. */
const MAX_OCTETS = 1_048_576
