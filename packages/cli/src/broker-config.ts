import { dirname, resolve } from 'node:path'
import { DEFAULT_LIMITS } from '@hardbound/broker-core'
import { z } from 'zod'
import { readInput } from './input.ts'
import { awsIdentitySchema } from './internal/aws-identity-schema.ts'
import { azureSchema } from './internal/azure-schema.ts'
import { ConfigError, problemsOf, snakeCase } from './internal/config-error.ts'
import { parseConfigYaml } from './internal/strict-yaml.ts'

const text = z.string().min(1, 'must not be empty').max(4096)
const file = text.describe('Path, from the folder of this file')
const list = <T extends z.ZodType>(item: T) => z.array(item).min(1, 'must not be empty').max(1000)
const hex256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits')

/** Tokens for Google STS lie about on every Google machine. */
const audience = text
  .max(512, 'must be at most 512 octets')
  .refine((it) => !/^https:\/\/sts\.google(apis)?\.com\/?$/.test(it), 'must be your own, not that of Google STS')

const ownKeys = {
  jwks_url: text.optional().describe("Another source than the issuer's own; https"),
  jwks_ca_file: file.optional().describe('PEM of the only authorities to trust for jwks_url'),
  jwks_file: file.optional().describe('A JWK set at hand'),
}
const googleBaseline = {
  hwmodels: list(text).optional().describe('Accepted hardware models'),
  dangerously_allow_debug_images: z.boolean().optional(),
  dangerously_allow_unsupported_images: z.boolean().optional(),
  dangerously_trust_issuer: text.optional().describe("Another iss than Google's: an issuer of test tokens"),
}

const issuer = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('google'), ...ownKeys, ...googleBaseline }),
  z.strictObject({
    type: z.literal('google-pki'),
    root_sha256: list(hex256).optional().describe("Roots in place of Google's"),
    ...googleBaseline,
  }),
  z.strictObject({
    type: z.literal('intel'),
    region: z.enum(['us', 'eu']).optional(),
    accepted_tcb_statuses: list(text).optional(),
    dangerously_accept_no_audience: z.boolean().optional(),
    ...ownKeys,
  }),
  z.strictObject({
    type: z.literal('azure'),
    issuer: text.describe('https://<name>.<region>.attest.azure.net'),
    policy_hashes: list(text),
    accepted_tcb_statuses: list(text).optional(),
    ...ownKeys,
  }),
])

const limits = Object.fromEntries(
  Object.keys(DEFAULT_LIMITS).map((name) => [snakeCase(name), z.int().min(1).max(86_400_000).optional()]),
)

const brokerSchema = z.strictObject({
  listen: z.strictObject({
    host: text.default('127.0.0.1'),
    port: z.int().min(0).max(65_535).describe('0: any free one'),
  }),
  tls: z
    .strictObject({
      certificate_file: file,
      key_file: file,
      client_ca_file: file.optional().describe('With it every client must show a certificate'),
      crl_file: file.optional(),
      refused_spki_sha256: list(hex256).optional(),
    })
    .refine((it) => it.crl_file === undefined || it.client_ca_file !== undefined, {
      path: ['crl_file'],
      error: 'needs client_ca_file',
    }),
  attestation: z.strictObject({ audience, issuers: list(issuer) }),
  aws: z
    .strictObject({ regions: list(text), endpoint: text.optional(), identity: awsIdentitySchema.optional() })
    .optional(),
  azure: azureSchema.optional(),
  audit: z.strictObject({ file }),
  go_v1: z.strictObject({ audience: audience.optional() }).optional(),
  limits: z.strictObject(limits).optional(),
  policy: z.union([file, z.record(z.string(), z.unknown())], 'must be a file or a mapping'),
})

/** What `broker.yaml` says, with its shape checked and its defaults filled in. */
export type BrokerConfig = z.output<typeof brokerSchema> & {
  /** As it was given; where it is `-`, paths start at the working directory. */
  readonly source: string
  /** A path that stands in the file, from that file's folder. */
  readonly pathOf: (file: string) => string
}

/** One entry of `attestation.issuers`. */
export type IssuerConfig = z.output<typeof issuer>

/**
 * Reads `broker.yaml`.
 *
 * @throws {CliError} where the file can't be read.
 * @throws {ConfigError} with everything that is wrong with its shape. Unknown keys are.
 */
export async function loadBrokerConfig(source: string): Promise<BrokerConfig> {
  const document = parseConfigYaml(await readInput(source, 'configuration'))
  const result = brokerSchema.safeParse(document)
  if (!result.success) throw new ConfigError(result.error.issues.flatMap(problemsOf))
  const folder = source === '-' ? process.cwd() : dirname(resolve(source))
  return { ...result.data, source, pathOf: (path) => resolve(folder, path) }
}
