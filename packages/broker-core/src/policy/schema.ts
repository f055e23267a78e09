import { z } from 'zod'

// What a policy may look like. Everything is exact: no wildcards, no patterns, no unknown keys. What concerns more than
// one key is in check-document.ts.

const text = (pattern: RegExp, problem: string) =>
  z.string(`must be text: ${problem}`).regex(pattern, { abort: true, error: `must be ${problem}` })
const list = <T extends z.ZodType>(item: T) => z.array(item).min(1, 'must not be empty').max(1000)
const digits = (problem: string) => text(/^[0-9]{1,20}$/, `${problem}, in quotes`)

const HEX_256 = text(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits')
const HEX_384 = text(/^[0-9a-f]{96}$/, '96 lower-case hexadecimal digits')
const ACCOUNT_ID = text(/^[0-9]{12}$/, '12 digits, in quotes')
const ROLE_ARN = text(
  /^arn:aws(-[a-z]+){0,3}:iam::[0-9]{12}:role\/[\w+=,.@/-]{1,576}$/,
  'the ARN of an IAM role, without wildcards',
)

const GUID = text(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a GUID in lower case')
/** Entra: a resource and `/.default`; where the resource ends in a slash, that makes two. */
const SCOPE = text(
  /^([a-z][a-z0-9+.-]{0,31}:\/\/[\w.~%:@/-]{1,400}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\/\.default$/,
  'one resource and /.default, without wildcards',
)

const signer = z.strictObject({
  algorithm: z.enum(['RSASSA_PSS_SHA256', 'RSASSA_PKCS1V15_SHA256', 'ECDSA_P256_SHA256']),
  key_id: HEX_256.describe("Hex SHA-256 of the signer's SubjectPublicKeyInfo DER"),
})

const measurements = z.strictObject({
  mrtd: list(HEX_384).optional().describe('Intel TDX: MRTD, the firmware. Goes with rtmr1, rtmr2 or rtmr3'),
  rtmr0: list(HEX_384).optional().describe('Intel TDX: RTMR0'),
  rtmr1: list(HEX_384).optional().describe('Intel TDX: RTMR1'),
  rtmr2: list(HEX_384).optional().describe('Intel TDX: RTMR2'),
  rtmr3: list(HEX_384).optional().describe('Intel TDX: RTMR3'),
  launch_measurement: list(HEX_384).optional().describe('AMD SEV-SNP: launch measurement. Goes with host_data'),
  host_data: list(HEX_256).optional().describe('AMD SEV-SNP: host data. Goes with launch_measurement'),
})

const workload = z.strictObject({
  issuer: text(/^[a-z][a-z-]{0,63}$/, 'the name of a verifier')
    .default('google')
    .describe('Which verifier must have accepted the token: google, google-pki, intel, azure, or one of your own'),
  image_digests: list(text(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 lower-case hexadecimal digits')).optional(),
  signers: list(signer).optional().describe('The image carries a signature with one of these algorithm and key pairs'),
  measurements: measurements.optional(),
  project_numbers: list(digits('a project number')).optional(),
  zones: list(text(/^[a-z0-9-]{1,63}$/, 'the name of a zone')).optional(),
  instance_ids: list(digits('an instance id')).optional(),
  service_accounts: list(
    text(/^[\w.+-]{1,128}@[a-z0-9.-]{1,128}$/, 'the e-mail address of a service account'),
  ).optional(),
  service_accounts_allow_others: z
    .boolean()
    .optional()
    .describe('Accept a token that proves more service accounts too'),
  hwmodels: list(text(/^[A-Z0-9_]{1,64}$/, 'a hardware model')).optional(),
  min_swversion: text(/^[0-9]{1,9}$/, 'a version in digits, in quotes').optional(),
  env_override: z
    .record(
      text(/^[^=\0]{1,256}$/, 'the name of an environment variable'),
      z.string('must be text, in quotes').max(4096),
    )
    .default({})
    .describe('Exactly what the operator may set'),
  cmd_override: z
    .array(z.string('must be text, in quotes'))
    .max(1000)
    .default([])
    .describe("Exactly the operator's command"),
  args: z
    .array(z.string('must be text, in quotes'))
    .max(1000)
    .optional()
    .describe('Exactly the arguments of the container'),
  restart_policy: z.enum(['Never', 'Always', 'OnFailure']).optional(),
  memory_monitoring: z.boolean().optional(),
  attester_tcb: list(text(/^[A-Z0-9_]{1,64}$/, 'the name of an attester'))
    .optional()
    .describe('The token names all of these'),
  gpu_cc_mode: z.enum(['ON', 'OFF', 'DEVTOOLS']).optional(),
})

const peer = z.strictObject({
  spki_sha256: list(HEX_256).optional().describe("Hex SHA-256 of the client certificate's SubjectPublicKeyInfo DER"),
  dns: list(text(/^[A-Za-z0-9._-]{1,253}$/, 'a DNS name, without wildcards')).optional(),
  uri: list(text(/^[a-z][a-z0-9+.-]*:[^\s*]{1,2048}$/, 'a URI, without wildcards')).optional(),
})

const oneOrMore = z.union([z.string(), list(z.string())])
const scalar = z.union([z.string(), z.boolean(), z.number()])

const statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMore.optional(),
  NotAction: oneOrMore.optional(),
  Resource: oneOrMore.optional(),
  NotResource: oneOrMore.optional(),
  Condition: z.record(z.string(), z.record(z.string(), z.union([scalar, list(scalar)]))).optional(),
})

/** An IAM session policy. Session policies have no principals. */
export const sessionPolicySchema = z.strictObject({
  Version: z.literal('2012-10-17'),
  Id: z.string().optional(),
  Statement: z.union([statement, list(statement)]),
})

const aws = z.strictObject({
  role_arn: ROLE_ARN.optional(),
  role_arns: list(ROLE_ARN).optional().describe('Roles the client may choose from'),
  action: z.enum(['assume_role', 'get_session_token']).default('assume_role'),
  max_duration_seconds: z
    .int()
    .min(900)
    .max(43_200)
    .default(3600)
    .describe('Longest session, in seconds. A longer request gets this'),
  external_id: text(/^[\w+=,.@:/-]{2,1224}$/, 'an external id of 2 to 1224 characters').optional(),
  region: text(/^[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}$/, 'an AWS region')
    .optional()
    .describe('Whose STS endpoint to use'),
  session_policy: z
    .union([z.string().max(16_384), sessionPolicySchema])
    .optional()
    .describe('Mapping, or JSON text. Strings may hold {{templates}}'),
  source_ip: list(z.string('must be text'))
    .max(64)
    .optional()
    .describe('Public networks or addresses the credentials work from'),
  session_name: z.string().min(1).max(512).optional().describe('Template. Default: hb- and the instance id'),
  source_identity: z.string().min(1).max(512).optional().describe('Template'),
  tags: z.record(text(/^[\w .:/=+@-]{1,128}$/, 'a tag key of 1 to 128 characters'), z.string().max(512)).default({}),
  transitive_tags: list(z.string()).optional().describe('Keys of tags that role chaining carries on'),
  require_packed_policy_size: z
    .boolean()
    .default(true)
    .describe('Refuse an STS answer that does not show that the session policy was seen'),
})

const azure = z.strictObject({
  tenant_id: GUID.describe('Directory (tenant) of the application'),
  client_id: GUID.describe('Application (client) whose tokens these are; the broker must be set up for it'),
  scopes: list(SCOPE).describe('Scopes the client may choose from, one a token'),
})

const rule = z.strictObject({
  id: text(/^[a-z0-9-]{1,64}$/, '1 to 64 of a-z, 0-9 and -'),
  workload,
  peer: peer.optional().describe('The TLS client. Each list that is present must hold one entry that matches'),
  when: z.string().min(1).max(4096).optional().describe('CEL over assertion, request and peer; must be true'),
  protocols: list(z.enum(['v2', 'go-v1'])).default(['v2']),
  grant: z.strictObject({ aws: aws.optional(), azure: azure.optional() }).describe('At least one'),
})

/** The policy file, version 1. Source of `schema/policy.schema.json`. */
export const policySchema = z.strictObject({
  version: z.literal(1),
  aws: z.strictObject({ account_id: ACCOUNT_ID.describe("The broker's own AWS account") }).optional(),
  rules: z.array(rule).max(1000).describe('Empty: everything is denied'),
})

/** A policy that has the right shape, defaults filled in. */
export type PolicyDocument = z.output<typeof policySchema>
export type RuleDocument = PolicyDocument['rules'][number]
export type WorkloadDocument = RuleDocument['workload']
export type AwsGrantDocument = NonNullable<RuleDocument['grant']['aws']>
export type AzureGrantDocument = NonNullable<RuleDocument['grant']['azure']>
export type SessionPolicyDocument = z.output<typeof sessionPolicySchema>

/** JSON Schema (2020-12) of the policy file, for editors and other tools. */
export function policyJsonSchema(): object {
  return {
    ...z.toJSONSchema(policySchema, { io: 'input', target: 'draft-2020-12' }),
    title: 'Hardbound broker policy',
  }
}
