import { X509Certificate } from 'node:crypto'
import {
  type AzureApplication,
  type AzureClientCredential,
  type AzureIssuerInit,
  clientSecretFile,
  createAzureIssuer,
  federatedTokenFile,
  signClientAssertion,
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
import { checkHardwareKey } from './hardware-keys.ts'
import { parseCertificates } from './tls-files.ts'

/** The applications whose tokens a broker can get. */
export interface AzureApplications {
  /** Whether there is an application for these ids. */
  has(tenantId: string, clientId: string): boolean
  /**
   * Opens the keys that are in hardware, and reads the others. Each signs once, to know now that it can, and is the certificate's.
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
    const asked = { ...placeOf(application), credential: NO_CREDENTIAL }
    findings.attempt(at, () => createAzureIssuer({ applications: [asked] }).close())
    await checkCredential(application, `${at}.credential`, config, findings, now)
  }
  const ca =
    azure.ca_file === undefined ? undefined : await findings.read('azure.ca_file', config.pathOf(azure.ca_file))
  if (ca !== undefined) parseCertificates(ca, 'azure.ca_file', findings)
  return {
    has: (tenantId, clientId) => names.has(nameOf(tenantId, clientId)),
    open: () => openAll(azure.applications, config, ca),
  }
}

const placeOf = ({ tenant_id, client_id, cloud, authority_host }: AzureApplicationConfig) => ({
  tenantId: tenant_id,
  clientId: client_id,
  ...given('cloud', cloud),
  ...given('authorityHost', authority_host),
})

/** Of an issuer that is made to see whether the rest is right. */
const NO_CREDENTIAL: AzureClientCredential = { kind: 'secret', secret: () => Promise.resolve('') }

const nameOf = (tenantId: string, clientId: string): string => `${tenantId} ${clientId}`

async function checkCredential(
  { credential }: AzureApplicationConfig,
  at: string,
  config: BrokerConfig,
  findings: Findings,
  now: number,
): Promise<void> {
  const { client_secret_file, federated_token_file, certificate } = credential
  const attempt = async (path: string, read: () => Promise<unknown>) => {
    await read().catch((cause: unknown) => findings.add(path, problemOf(cause)))
  }
  // As they will be read.
  if (client_secret_file !== undefined) {
    await attempt(`${at}.client_secret_file`, clientSecretFile(config.pathOf(client_secret_file)).secret)
  }
  if (federated_token_file !== undefined) {
    await attempt(`${at}.federated_token_file`, federatedTokenFile(config.pathOf(federated_token_file)).assertion)
  }
  if (certificate === undefined) return
  const files = { at: `${at}.certificate`, pathOf: config.pathOf }
  await checkHardwareKey(certificate, files.at, config, findings)
  await attempt(files.at, async () => {
    const der = isInHardware(certificate)
      ? await certificateIn(certificate, files)
      : (await softwareCertificate(certificate, files)).certificate
    if (der !== undefined) checkDates(new X509Certificate(der), files.at, findings, now)
  })
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
  async function open({ credential, client_id }: AzureApplicationConfig, at: string): Promise<AzureClientCredential> {
    const { client_secret_file, federated_token_file, certificate } = credential
    if (client_secret_file !== undefined) return clientSecretFile(config.pathOf(client_secret_file))
    if (federated_token_file !== undefined) return federatedTokenFile(config.pathOf(federated_token_file))
    if (certificate === undefined) throw new CliError('no credential') // the schema wants one
    const proof = await openCertificate(certificate, { at, pathOf: config.pathOf })
    opened.push(proof)
    await signClientAssertion({ ...proof.credential, clientId: client_id, tokenUrl: NOWHERE })
    return proof.credential
  }
  const ready: AzureApplication[] = []
  for (const [index, application] of applications.entries()) {
    const at = `azure.applications[${index}].credential`
    try {
      ready.push({
        ...placeOf(application),
        credential: await open(application, at),
      })
    } catch (cause) {
      await close()
      throw new CliError(`${at}: ${problemOf(cause)}`, { cause })
    }
  }
  return { init: { applications: ready, ...given('ca', ca) }, close }
}

/** RFC 2606 §2: an assertion for it is good for nothing. */
const NOWHERE = 'https://startup.invalid'

/** Ours may be shown: they name files, keys and devices, and nothing that is secret. */
function problemOf(cause: unknown): string {
  if (cause instanceof CliError || cause instanceof TypeError || cause instanceof RangeError) return cause.message
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (!/^ERR_(AZURE|TPM|PKCS11)_/.test(code) || !(cause instanceof Error)) throw cause
  return `${cause.message} [${code}]`
}
