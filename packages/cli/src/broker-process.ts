import {
  type AuditRecord,
  type AuditSink,
  type BrokerServer,
  createAwsIssuer,
  createAzureIssuer,
  createBroker,
  createBrokerServer,
  createFileAuditSink,
} from '@hardbound/broker-core'
import type { Logger } from 'pino'
import type { BrokerConfig } from './broker-config.ts'
import { CliError } from './cli-error.ts'
import type { AwsIdentity } from './internal/aws-identity.ts'
import type { AzureApplications } from './internal/azure-applications.ts'
import { createLateAuditSink } from './internal/late-audit-sink.ts'
import { prepareBroker } from './prepare-broker.ts'

/** A broker that listens. */
export interface RunningBroker {
  readonly host: string
  readonly port: number
  /** Ends requests under way, then everything else. */
  close(): Promise<void>
}

/**
 * Puts a broker together and lets it listen. It logs what an operator should know; grants and refusals are in the audit log.
 *
 * The audit log is opened last: who has the port is the one broker that may write to it. A second one, started by mistake,
 * would break the chain of the first. Requests that come in between wait.
 *
 * @throws {ConfigError} with all problems of the configuration.
 * @throws {CliError} where the audit log or the port can't be had.
 */
export async function startBroker(config: BrokerConfig, log: Logger): Promise<RunningBroker> {
  const parts = await prepareBroker(config, {
    onKeyAlarm: (issuer, alarm) => log.error({ issuer, alarm }, "the issuer's keys can't be had"),
  })
  for (const { path, problem } of parts.warnings) log.warn({ key: path }, `${path}: ${problem}`)

  const identity = await openIdentity(parts.awsIdentity)
  const audit = createLateAuditSink()
  const onOrphan = (record: AuditRecord): void =>
    void audit.append(record).catch(() => log.error('an orphan grant could not be audited'))
  const aws = parts.aws === undefined ? undefined : createAwsIssuer({ ...parts.aws, ...identity?.issuer, onOrphan })
  const applications = await openAzure(parts.azure, identity)
  const azure = applications === undefined ? undefined : createAzureIssuer(applications.init)
  const broker = createBroker({
    verifier: parts.verifier,
    policy: parts.policy,
    issuers: [aws, azure].filter((it) => it !== undefined),
    audit,
    audience: config.attestation.audience,
    ...(config.go_v1 === undefined
      ? {}
      : { goV1: config.go_v1.audience === undefined ? {} : { audience: config.go_v1.audience } }),
  })
  const server = createBrokerServer({
    broker,
    tls: parts.tls,
    limits: parts.limits,
    onConnectionError: (event) => log.debug(event, 'connection refused'),
  })
  const close = async (): Promise<void> => {
    await server.close()
    aws?.close()
    azure?.close()
    await identity?.backend.close()
    await applications?.close()
    await audit.close()
  }
  try {
    const { address, port } = await listen(server, config)
    await audit.open(
      openAudit(config, { event: 'start', policy_version: parts.policy.version, node: process.versions.node }),
    )
    parts.verifier.ready() // fetches keys ahead of the first request
    return { host: address, port, close }
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}

/** Opens the key of our own AWS identity, so that a broker without it does not start. */
async function openIdentity(identity: AwsIdentity | undefined) {
  if (identity === undefined) return undefined
  const { hardwareCredentials, hmacSignerConstructor } = await import('@hardbound/sigv4-hmac')
  try {
    const backend = await identity.open()
    const credentials = hardwareCredentials(identity.accessKeyId)
    return { backend, issuer: { credentials, signerConstructor: hmacSignerConstructor(backend) } }
  } catch (cause) {
    const isOurs = cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_HMAC_')
    if (!isOurs && !(cause instanceof TypeError || cause instanceof RangeError)) throw cause
    throw new CliError(`aws.identity: ${cause.message}${isOurs ? ` [${String(cause.code)}]` : ''}`, { cause })
  }
}

/** Opens the keys of our own Azure applications; where one is missing, what was opened before is given back. */
async function openAzure(azure: AzureApplications | undefined, identity: Awaited<ReturnType<typeof openIdentity>>) {
  try {
    return await azure?.open()
  } catch (error) {
    await identity?.backend.close()
    throw error
  }
}

/** Opens the audit log, and writes its first record of this run. */
async function openAudit(config: BrokerConfig, start: AuditRecord): Promise<AuditSink> {
  const sink = await openAuditFile(config)
  try {
    await sink.append(start)
    return sink
  } catch (error) {
    await sink.close()
    throw error
  }
}

async function openAuditFile(config: BrokerConfig): Promise<AuditSink> {
  const path = config.pathOf(config.audit.file)
  try {
    return await createFileAuditSink({ path })
  } catch (cause) {
    const reason = cause instanceof Error && 'reason' in cause ? String(cause.reason) : 'unknown'
    const hint = reason === 'audit.chain' ? '; its end is not intact: move it away and keep it' : ''
    throw new CliError(`audit.file: ${path} can't be opened (${reason})${hint}`, { cause })
  }
}

async function listen(server: BrokerServer, { listen: { host, port } }: BrokerConfig) {
  try {
    return await server.listen(port, host)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    const why = code === 'EADDRINUSE' ? 'is taken' : `can't be listened on (${code})`
    throw new CliError(`listen: ${host} port ${port} ${why}`, { cause })
  }
}
