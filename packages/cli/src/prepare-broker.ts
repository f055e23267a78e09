import type { AttestationVerifier } from '@hardbound/attestation-verify'
import {
  type BrokerLimits,
  type BrokerTls,
  compilePolicy,
  createAwsIssuer,
  DEFAULT_LIMITS,
  loadPolicy,
  type Policy,
  PolicyError,
} from '@hardbound/broker-core'
import type { BrokerConfig } from './broker-config.ts'
import { attestationVerifiers, type KeyAlarm } from './internal/attestation-verifiers.ts'
import { type AwsIdentity, readAwsIdentity } from './internal/aws-identity.ts'
import { type AzureApplications, readAzure } from './internal/azure-applications.ts'
import { ConfigError, createFindings, type Findings, type Problem, snakeCase } from './internal/config-error.ts'
import { parseConfigYaml } from './internal/strict-yaml.ts'
import { readTlsFiles } from './internal/tls-files.ts'

/** A broker's parts, checked and ready to be put together. Nothing has been opened, and nobody has been asked. */
export interface PreparedBroker {
  readonly tls: BrokerTls
  readonly verifier: AttestationVerifier
  readonly policy: Policy
  /** The policy as it was written. */
  readonly policyDocument: unknown
  /** Where rules may grant AWS credentials. */
  readonly aws: Parameters<typeof createAwsIssuer>[0] | undefined
  /** Our own AWS identity, where it is not that of the SDK's provider chain. */
  readonly awsIdentity: AwsIdentity | undefined
  /** Where rules may grant Azure tokens. */
  readonly azure: AzureApplications | undefined
  readonly limits: Partial<BrokerLimits>
  /** What an operator should know before this broker runs. */
  readonly warnings: readonly Problem[]
}

/** What the outside world gives. */
export interface PrepareInit {
  /** Milliseconds since the epoch. Default: `Date.now()`. */
  readonly now?: number
  readonly onKeyAlarm?: KeyAlarm
}

/**
 * Reads and checks every file that the configuration names.
 *
 * @throws {ConfigError} with all problems that were found.
 */
export async function prepareBroker(config: BrokerConfig, init: PrepareInit = {}): Promise<PreparedBroker> {
  const findings = createFindings({ acceptedHwmodels: 'hwmodels', url: 'jwks_url', jwks: 'jwks_file' })
  const now = init.now ?? Date.now()
  const tls = await readTlsFiles(config, findings, now)
  const verifier = await attestationVerifiers(config, findings, init.onKeyAlarm ?? (() => {}))
  const loaded = await readPolicy(config, findings)
  const aws = awsInit(config)
  if (aws !== undefined) findings.attempt('aws', () => createAwsIssuer(aws).close())
  const awsIdentity = await readAwsIdentity(config, findings)
  const azure = await readAzure(config, findings, now)
  if (loaded !== undefined) checkTargets(loaded.policyDocument, { aws, azure }, findings)
  warnOfPlaintext(config, findings)
  if (config.go_v1 !== undefined) {
    findings.warn('go_v1', 'the protocol of the Go programs is on; its nonces do not commit to the certificates')
  }
  const { problems, warnings } = findings
  if (problems.length > 0 || tls === undefined || verifier === undefined || loaded === undefined) {
    throw new ConfigError(problems)
  }
  return { tls, verifier, ...loaded, aws, awsIdentity, azure, limits: limitsOf(config), warnings }
}

async function readPolicy(
  config: BrokerConfig,
  findings: Findings,
): Promise<{ policy: Policy; policyDocument: unknown } | undefined> {
  try {
    if (typeof config.policy !== 'string') {
      return { policy: compilePolicy(config.policy), policyDocument: config.policy }
    }
    const filename = config.pathOf(config.policy)
    const text = await findings.read('policy', filename)
    if (text === undefined) return undefined
    return { policy: loadPolicy(text, { filename }), policyDocument: parseConfigYaml(text) }
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause
    findings.add('policy', cause.message)
    return undefined
  }
}

/** A rule that can't be kept is better found now than by a workload. */
function checkTargets(
  document: unknown,
  { aws, azure }: Pick<PreparedBroker, 'aws' | 'azure'>,
  findings: Findings,
): void {
  const { rules } = document as PolicyText
  for (const [index, { grant }] of rules.entries()) {
    const at = `policy: rules[${index}].grant`
    if (grant.aws !== undefined && aws === undefined) findings.add(`${at}.aws`, 'needs aws in this configuration')
    if (grant.azure !== undefined && azure?.has(grant.azure.tenant_id, grant.azure.client_id) !== true) {
      findings.add(`${at}.azure`, 'has a tenant_id and client_id that no entry of azure.applications has')
    }
  }
}

/** What is looked at here of a policy that was loaded. */
interface PolicyText {
  readonly rules: readonly {
    readonly grant: {
      readonly aws?: object
      readonly azure?: { readonly tenant_id: string; readonly client_id: string }
    }
  }[]
}

function awsInit({ aws }: BrokerConfig): PreparedBroker['aws'] {
  if (aws === undefined) return undefined
  const [first, ...others] = aws.regions as [string, ...string[]] // the schema wants at least one
  return { regions: [first, ...others], ...(aws.endpoint === undefined ? {} : { endpoint: aws.endpoint }) }
}

function warnOfPlaintext({ aws }: BrokerConfig, findings: Findings): void {
  if (aws?.endpoint?.startsWith('http:') === true)
    findings.warn('aws.endpoint', 'credentials from there arrive in plain text')
}

function limitsOf({ limits = {} }: BrokerConfig): Partial<BrokerLimits> {
  const given = limits as Readonly<Record<string, number | undefined>>
  const pairs = Object.keys(DEFAULT_LIMITS).map((name) => [name, given[snakeCase(name)]] as const)
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined))
}
