import { X509Certificate } from 'node:crypto'
import {
  type AzureApplication,
  type AzureClientCredential,
  type AzureIssuerInit,
  clientSecretFile,
  federatedTokenFile,
} from '@hardbound/broker-core'
import type { BrokerConfig } from '../broker-config.ts'
import { CliError } from '../cli-error.ts'
import {
  certificateIn,
  isInHardware,
  type OpenCertificate,
  openCertificate,
  softwareCertificate,
} from './azure-certificate.ts'
import type { AzureApplicationConfig } from './azure-schema.ts'
import { checkDates } from './check-dates.ts'
import type { Findings } from './config-error.ts'
import { given } from './flags.ts'
import { checkHardwareKey, checkSecretFile } from './hardware-keys.ts'

/** The applications whose tokens a broker can get. */
export interface AzureApplications {
  /** Whether there is an application for these ids. */
  has(tenantId: string, clientId: string): boolean
  /**
   * Opens the keys that are in hardware, and reads the others.
   *
   * @throws {CliError}
   */
  open(): Promise<OpenAzure>
}

/** What the issuer is made of; `close` is for after the issuer's own. */
export interface OpenAzure {
  readonly init: AzureIssuerInit
  close(): Promise<void>
}

/**
 * Checks `azure` and the files that it names, without touching hardware. Problems go to `findings`.
 *
 * @param now Milliseconds since the epoch.
 */
export async function readAzure(
  config: BrokerConfig,
  findings: Findings,
  now: number,
): Promise<AzureApplications | undefined> {
  const { azure } = config
  if (azure === undefined) return undefined
  const names = new Set<string>()
  for (const [index, application] of azure.applications.entries()) {
    const at = `azure.applications[${index}]`
    const name = nameOf(application.tenant_id, application.client_id)
    if (names.has(name)) findings.add(`${at}.client_id`, 'is there twice for this tenant')
    names.add(name)
    const host = application.authority_host
    if (host !== undefined && !/^https:\/\/[^/?#@\s]+\/?$/.test(host)) {
      findings.add(`${at}.authority_host`, 'must be https:// and a host')
    }
    await checkCredential(application, `${at}.credential`, config, findings, now)
  }
  const ca =
    azure.ca_file === undefined ? undefined : await findings.read('azure.ca_file', config.pathOf(azure.ca_file))
  return {
    has: (tenantId, clientId) => names.has(nameOf(tenantId, clientId)),
    open: () => openAll(azure.applications, config, ca),
  }
}

const nameOf = (tenantId: string, clientId: string): string => `${tenantId} ${clientId}`

async function checkCredential(
  { credential }: AzureApplicationConfig,
  at: string,
  config: BrokerConfig,
  findings: Findings,
  now: number,
): Promise<void> {
  const { client_secret_file, federated_token_file, certificate } = credential
  await checkSecretFile(`${at}.client_secret_file`, client_secret_file, config, findings)
  if (federated_token_file !== undefined) {
    await findings.read(`${at}.federated_token_file`, config.pathOf(federated_token_file))
  }
  if (certificate === undefined) return
  const files = { at: `${at}.certificate`, pathOf: config.pathOf }
  await checkHardwareKey(certificate, files.at, config, findings)
  try {
    const der = isInHardware(certificate)
      ? await certificateIn(certificate, files)
      : (await softwareCertificate(certificate, files)).certificate
    if (der !== undefined) checkDates(new X509Certificate(der), files.at, findings, now)
  } catch (cause) {
    findings.add(files.at, problemOf(cause))
  }
}

async function openAll(
  applications: readonly AzureApplicationConfig[],
  config: BrokerConfig,
  ca: string | undefined,
): Promise<OpenAzure> {
  const opened: OpenCertificate[] = []
  const close = async () => {
    for (const certificate of opened) await certificate.close()
  }
  async function open({ credential }: AzureApplicationConfig, at: string): Promise<AzureClientCredential> {
    const { client_secret_file, federated_token_file, certificate } = credential
    if (client_secret_file !== undefined) return clientSecretFile(config.pathOf(client_secret_file))
    if (federated_token_file !== undefined) return federatedTokenFile(config.pathOf(federated_token_file))
    if (certificate === undefined) throw new CliError('no credential') // the schema wants one
    const proof = await openCertificate(certificate, { at, pathOf: config.pathOf })
    opened.push(proof)
    return proof.credential
  }
  const ready: AzureApplication[] = []
  for (const [index, application] of applications.entries()) {
    const at = `azure.applications[${index}].credential`
    try {
      ready.push({
        tenantId: application.tenant_id,
        clientId: application.client_id,
        ...given('cloud', application.cloud),
        ...given('authorityHost', application.authority_host),
        credential: await open(application, at),
      })
    } catch (cause) {
      await close()
      throw new CliError(`${at}: ${problemOf(cause)}`, { cause })
    }
  }
  return { init: { applications: ready, ...given('ca', ca) }, close }
}

/** Ours may be shown: they name files, keys and devices, and nothing that is secret. */
function problemOf(cause: unknown): string {
  if (cause instanceof CliError || cause instanceof TypeError || cause instanceof RangeError) return cause.message
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (!/^ERR_(AZURE|TPM|PKCS11)_/.test(code) || !(cause instanceof Error)) throw cause
  return `${cause.message} [${code}]`
}
