import { formatPath, PolicyError } from './policy-error.ts'
import type { AwsGrantDocument, PolicyDocument, RuleDocument, WorkloadDocument } from './schema.ts'
import { sourceIpProblem } from './source-ip.ts'

/**
 * Checks what concerns more than one key.
 *
 * @throws {PolicyError} `ERR_POLICY_INVALID`
 */
export function checkDocument(document: PolicyDocument): void {
  const ids = new Set<string>()
  document.rules.forEach((rule, index) => {
    const path = ['rules', index]
    if (ids.has(rule.id)) fail([...path, 'id'], 'is the id of an earlier rule')
    ids.add(rule.id)
    checkWorkload(rule.workload, [...path, 'workload'])
    if (rule.peer !== undefined && Object.keys(rule.peer).length === 0) fail([...path, 'peer'], 'must not be empty')
    checkGrant(rule, document.aws?.account_id, [...path, 'grant'])
  })
}

function fail(path: readonly PropertyKey[], problem: string): never {
  throw new PolicyError('ERR_POLICY_INVALID', formatPath(path), problem)
}

function checkWorkload(workload: WorkloadDocument, path: readonly PropertyKey[]): void {
  const { image_digests, signers, measurements } = workload
  const measured = measurements !== undefined && Object.keys(measurements).length > 0
  if (image_digests === undefined && signers === undefined && !measured) {
    fail(path, 'must name the image: image_digests, signers or measurements')
  }
  if (workload.service_accounts_allow_others !== undefined && workload.service_accounts === undefined) {
    fail([...path, 'service_accounts_allow_others'], 'goes with service_accounts')
  }
  if (measurements === undefined) return

  // No token holds both: a quote knows nothing of containers, and Confidential Space shows no measurements.
  for (const [key, value] of Object.entries(workload)) {
    const isDefault = JSON.stringify(value) === '{}' || JSON.stringify(value) === '[]'
    if (key !== 'issuer' && key !== 'measurements' && !isDefault) fail([...path, key], 'does not go with measurements')
  }
  checkMeasurements(measurements, [...path, 'measurements'])
}

/** What is measured must reach up to the code that runs: firmware alone is the same for everybody's virtual machines. */
function checkMeasurements(
  measurements: NonNullable<WorkloadDocument['measurements']>,
  path: readonly PropertyKey[],
): void {
  const { launch_measurement, host_data, ...tdx } = measurements
  const [aboutTdx] = Object.keys(tdx)
  if (aboutTdx === undefined) {
    if (launch_measurement === undefined)
      fail([...path, 'host_data'], 'does not name the image: add launch_measurement')
    if (host_data === undefined) fail([...path, 'launch_measurement'], 'does not name the image: add host_data')
    return
  }
  if ((launch_measurement ?? host_data) !== undefined) {
    fail(path, 'mrtd and rtmr0 to rtmr3 are of TDX, launch_measurement and host_data of SEV-SNP: take two rules')
  }
  if (tdx.mrtd === undefined) fail([...path, aboutTdx], 'does not name the image: add mrtd')
  if ((tdx.rtmr1 ?? tdx.rtmr2 ?? tdx.rtmr3) === undefined) {
    fail([...path, 'mrtd'], 'does not name the image: add rtmr1, rtmr2 or rtmr3')
  }
}

function checkGrant(rule: RuleDocument, ownAccount: string | undefined, path: readonly PropertyKey[]): void {
  const { aws, azure } = rule.grant
  if (aws === undefined && azure === undefined) fail(path, 'must have aws or azure')
  if (aws?.action === 'assume_role') checkRoleGrant(aws, ownAccount, [...path, 'aws'])
  if (aws?.action === 'get_session_token') checkSessionTokenGrant(aws, rule.protocols, [...path, 'aws'])
  if (azure !== undefined && new Set(azure.scopes).size < azure.scopes.length) {
    fail([...path, 'azure', 'scopes'], 'names a scope twice')
  }
}

function checkRoleGrant(aws: AwsGrantDocument, ownAccount: string | undefined, path: readonly PropertyKey[]): void {
  if (aws.role_arn !== undefined && aws.role_arns !== undefined)
    fail([...path, 'role_arns'], 'does not go with role_arn')
  const roles = aws.role_arns ?? (aws.role_arn === undefined ? [] : [aws.role_arn])
  if (roles.length === 0) fail(path, 'must have role_arn or role_arns')
  if (new Set(roles).size < roles.length) fail([...path, 'role_arns'], 'names a role twice')
  // Without an external id, whoever may write rules can make the broker a confused deputy in other people's accounts.
  if (aws.external_id === undefined && roles.some((arn) => arn.split(':')[4] !== ownAccount)) {
    fail([...path, 'external_id'], 'is required for a role that is not in aws.account_id')
  }
  for (const [index, network] of (aws.source_ip ?? []).entries()) {
    const problem = sourceIpProblem(network)
    if (problem !== undefined) fail([...path, 'source_ip', index], problem)
  }
  checkTags(aws, path)
}

/** GetSessionToken takes a duration and nothing else. */
function checkSessionTokenGrant(
  aws: AwsGrantDocument,
  protocols: RuleDocument['protocols'],
  path: readonly PropertyKey[],
): void {
  const allowed = ['action', 'max_duration_seconds', 'region', 'require_packed_policy_size']
  for (const [key, value] of Object.entries(aws)) {
    const isDefault = key === 'tags' && Object.keys(value as object).length === 0
    if (!allowed.includes(key) && !isDefault) fail([...path, key], 'does not go with get_session_token')
  }
  if (!protocols.includes('go-v1')) fail([...path, 'action'], 'only go-v1 can ask for this: name it in protocols')
}

function checkTags(aws: AwsGrantDocument, path: readonly PropertyKey[]): void {
  const keys = Object.keys(aws.tags)
  if (keys.length > 50) fail([...path, 'tags'], 'AWS takes 50 tags at most')
  if (keys.some((key) => key.toLowerCase().startsWith('aws:')))
    fail([...path, 'tags'], 'a key must not start with aws:')
  if (new Set(keys.map((key) => key.toLowerCase())).size < keys.length) {
    fail([...path, 'tags'], 'two keys differ in case only, which AWS takes for one')
  }
  for (const [index, key] of (aws.transitive_tags ?? []).entries()) {
    if (!keys.includes(key)) fail([...path, 'transitive_tags', index], 'is not a key of tags')
  }
}
