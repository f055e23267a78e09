import type { VerifiedAttestation } from '@hardbound/attestation-verify'
import type { JsonObject } from '@hardbound/attestation-verify/strict-json'
import { compilePolicy } from '../../src/policy/load-policy.ts'
import type { PolicyDecision, PolicyInput } from '../../src/types.ts'

type Claims = VerifiedAttestation['claims']
export type ConfidentialSpace = Extract<Claims, { kind: 'confidential-space' }>
type CloudRequest = Extract<PolicyInput['request'], { target: 'aws' }>

export const hex = (digit: string, length = 64): string => digit.repeat(length)
export const DIGEST = `sha256:${hex('a')}`
export const READER = 'arn:aws:iam::111122223333:role/reader'
export const WRITER = 'arn:aws:iam::111122223333:role/writer'

export const assertion: JsonObject = {
  hwmodel: 'GCP_AMD_SEV',
  swversion: ['250301'],
  submods: {
    container: { image_digest: DIGEST, image_reference: 'registry.example.com/app:latest', args: ['/app', '--serve'] },
    gce: { zone: 'europe-west4-a', project_id: 'example', project_number: '1234567890', instance_id: '4455667788' },
  },
}

export const claims: ConfidentialSpace = {
  kind: 'confidential-space',
  subject: 'https://www.googleapis.com/compute/v1/projects/example/zones/europe-west4-a/instances/app',
  eatProfile: undefined,
  secboot: true,
  oemid: 11129,
  hwmodel: 'GCP_AMD_SEV',
  swname: 'CONFIDENTIAL_SPACE',
  swversion: ['250301'],
  dbgstat: 'disabled-since-boot',
  attesterTcb: ['INTEL'],
  tdx: undefined,
  googleServiceAccounts: ['app@example.iam.gserviceaccount.com'],
  supportAttributes: ['LATEST', 'STABLE', 'USABLE'],
  memoryMonitoring: false,
  container: {
    imageReference: 'registry.example.com/app:latest',
    imageDigest: DIGEST,
    imageId: `sha256:${hex('1')}`,
    imageSignatures: [{ keyId: hex('b'), signatureAlgorithm: 'ECDSA_P256_SHA256' }],
    restartPolicy: 'Never',
    args: ['/app', '--serve'],
    cmdOverride: [],
    env: { PATH: '/bin' },
    envOverride: {},
  },
  gce: {
    zone: 'europe-west4-a',
    projectId: 'example',
    projectNumber: '1234567890',
    instanceName: 'app',
    instanceId: '4455667788',
  },
  gpu: { ccMode: 'ON' },
}

export const withContainer = (container: Partial<ConfidentialSpace['container']>): Claims => ({
  ...claims,
  container: { ...claims.container, ...container },
})
export const withGce = (gce: Partial<ConfidentialSpace['gce']>): Claims => ({
  ...claims,
  gce: { ...claims.gce, ...gce },
})

interface Parts {
  claims?: Claims
  assertion?: JsonObject
  attestation?: Partial<VerifiedAttestation>
  request?: Partial<CloudRequest>
  peer?: Partial<PolicyInput['peer']>
  protocol?: PolicyInput['protocol']
}

/** What the broker knows about one request; every part can be changed. */
export function input(parts: Parts = {}): PolicyInput {
  return {
    attestation: {
      verifier: 'google',
      issuer: 'https://confidentialcomputing.googleapis.com',
      tokenSha256: hex('0123456789abcdef', 4),
      keyId: 'k1',
      issuedAt: 1_700_000_000,
      expiresAt: 1_700_003_600,
      nonces: [],
      claims: parts.claims ?? claims,
      assertion: parts.assertion ?? assertion,
      ...parts.attestation,
    },
    request: { target: 'aws', roleArn: undefined, durationSeconds: undefined, sessionToken: false, ...parts.request },
    peer: {
      address: '192.0.2.7',
      spkiSha256: hex('c'),
      san: { dns: ['app.example.com'], uri: ['spiffe://example.com/app'] },
      ...parts.peer,
    },
    protocol: parts.protocol ?? 'v2',
  }
}

/** Test documents are built loosely, as a person would write them. */
// biome-ignore lint/suspicious/noExplicitAny: what is wrong with them is what is tested
export type Loose = Record<string, any>

/** A rule that lets {@link input} have the role `reader`. */
export const rule = (parts: { id?: string; workload?: Loose; aws?: Loose } & Loose = {}): Loose => {
  const { workload, aws, ...others } = parts
  return {
    id: 'reader',
    workload: { image_digests: [DIGEST], ...workload },
    grant: { aws: { role_arn: READER, ...aws } },
    ...others,
  }
}

export const document = (...rules: Loose[]): Loose => ({ version: 1, aws: { account_id: '111122223333' }, rules })
export const policyOf = (...rules: Loose[]) => compilePolicy(document(...rules))
export const decideOn = (request: PolicyInput, ...rules: Loose[]): PolicyDecision => policyOf(...rules).decide(request)

/** The grant of a decision that must allow. */
export function grantOf(decision: PolicyDecision): Loose {
  if (!decision.allow) throw new Error(`denied: ${decision.reason}`)
  return decision.grant
}

/** Code and path of the error that a document is refused with. */
export function refusalOf(document: unknown): { code: unknown; path: unknown } {
  try {
    compilePolicy(document)
  } catch (e) {
    const { code, path } = e as { code?: unknown; path?: unknown }
    return { code, path }
  }
  throw new Error('the document was accepted')
}

export const denied = (reason: string) => ({ allow: false, code: 'policy_denied', reason })
export const invalid = (path: string) => ({ code: 'ERR_POLICY_INVALID', path })
