import type { ConfidentialSpaceClaims, ImageSignature } from '../claims.ts'
import type { JsonObject } from '../strict-json.ts'
import { ClaimTypeError, readBoolean, readObject, readObjects, readString, readStringMap, readStrings } from './json.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'

/** What a workload must be, whatever policy says. */
export interface ConfidentialSpaceBaseline {
  readonly hwmodels: readonly string[]
  readonly dbgstats: readonly string[]
  /** `undefined`: not checked. */
  readonly eatProfile: string | undefined
  /** Whether the image must be one that Google supports. */
  readonly stable: boolean
}

/** Google's private enterprise number. */
const GOOGLE_OEMID = 11129

/**
 * The claims of a Confidential Space token. Its issuer signs tokens of ordinary VMs with the same keys, whose owners choose
 * audience and nonces freely: only these claims tell them apart.
 */
export function confidentialSpaceSteps(baseline: ConfidentialSpaceBaseline): readonly Step[] {
  const { hwmodels, dbgstats, eatProfile, stable } = baseline
  const steps: Step[] = [
    { check: 'claim.format', needs: ['jwt.payload'], run: format },
    oneOf('claim.swname', ({ swname }) => swname, ['CONFIDENTIAL_SPACE']),
    oneOf('claim.dbgstat', ({ dbgstat }) => dbgstat, dbgstats),
    oneOf('claim.secboot', ({ secboot }) => secboot, [true]),
    oneOf('claim.oemid', ({ oemid }) => oemid, [undefined, GOOGLE_OEMID]),
    oneOf('claim.hwmodel', ({ hwmodel }) => hwmodel, hwmodels),
  ]
  if (eatProfile !== undefined) {
    steps.splice(
      1,
      0,
      oneOf('claim.eat_profile', (claims) => claims.eatProfile, [undefined, eatProfile]),
    )
  }
  if (stable) steps.push({ check: 'claim.support_attributes', needs: ['claim.format'], run: supportAttributes })
  return steps
}

function format(draft: Draft): undefined {
  draft.claims = typed(() => readConfidentialSpaceClaims(draft.payload))
}

/** Turns a wrong JSON type into a rejection. */
export function typed<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw cause instanceof ClaimTypeError ? new Rejection(cause.message) : cause
  }
}

type Gate = 'claim.eat_profile' | 'claim.swname' | 'claim.dbgstat' | 'claim.secboot' | 'claim.oemid' | 'claim.hwmodel'

function oneOf(
  check: Gate,
  read: (claims: ConfidentialSpaceClaims) => string | number | boolean | undefined,
  accepted: readonly (string | number | boolean | undefined)[],
): Step {
  return {
    check,
    needs: ['claim.format'],
    run(draft) {
      const value = read(confidentialSpace(draft))
      const text = value === undefined ? 'absent' : String(value)
      if (!accepted.includes(value)) throw new Rejection(text)
      return text
    },
  }
}

function supportAttributes(draft: Draft): string {
  const { supportAttributes: attributes } = confidentialSpace(draft)
  if (!attributes.includes('STABLE')) throw new Rejection('no STABLE')
  return attributes.join(' ')
}

const confidentialSpace = ({ claims }: Draft): ConfidentialSpaceClaims => claims as ConfidentialSpaceClaims

/** Typed and normalised. `dbgstat` and `secboot` of a wrong type are as good as absent: their own checks refuse that. */
function readConfidentialSpaceClaims(payload: JsonObject): ConfidentialSpaceClaims {
  const { dbgstat, secboot, oemid = null } = payload
  if (oemid !== null && typeof oemid !== 'number') throw new ClaimTypeError('oemid', 'a number')
  const submods = readObject(payload, 'submods') ?? {}
  const space = readObject(submods, 'confidential_space') ?? {}
  const gpu = readObject(submods, 'nvidia_gpu')
  return {
    kind: 'confidential-space',
    subject: readString(payload, 'sub') ?? '',
    eatProfile: readString(payload, 'eat_profile'),
    secboot: typeof secboot === 'boolean' ? secboot : undefined,
    oemid: oemid ?? undefined,
    hwmodel: readString(payload, 'hwmodel'),
    swname: readString(payload, 'swname'),
    swversion: readStrings(payload, 'swversion'),
    dbgstat: typeof dbgstat === 'string' ? dbgstat : undefined,
    attesterTcb: readStrings(payload, 'attester_tcb'),
    tdx: readGcpTdx(payload),
    googleServiceAccounts: readStrings(payload, 'google_service_accounts'),
    supportAttributes: readStrings(space, 'support_attributes'),
    memoryMonitoring: readBoolean(readObject(space, 'monitoring_enabled') ?? {}, 'memory'),
    container: readContainer(readObject(submods, 'container') ?? {}),
    gce: readGce(readObject(submods, 'gce') ?? {}),
    gpu: gpu && { ccMode: readString(gpu, 'cc_mode') },
  }
}

/** An object in real tokens, a list in the documentation. */
function readGcpTdx(payload: JsonObject): ConfidentialSpaceClaims['tdx'] {
  const list = Array.isArray(payload.tdx) ? readObjects(payload, 'tdx') : [readObject(payload, 'tdx')]
  if (list.length > 1) throw new ClaimTypeError('tdx', 'one object')
  const [tdx] = list
  if (tdx === undefined) return undefined
  return { tcbStatus: readString(tdx, 'gcp_attester_tcb_status'), tcbDate: readString(tdx, 'gcp_attester_tcb_date') }
}

function readContainer(container: JsonObject): ConfidentialSpaceClaims['container'] {
  return {
    imageReference: readString(container, 'image_reference'),
    imageDigest: readString(container, 'image_digest'),
    imageId: readString(container, 'image_id'),
    imageSignatures: readObjects(container, 'image_signatures').map(readImageSignature),
    restartPolicy: readString(container, 'restart_policy'),
    args: readStrings(container, 'args'),
    cmdOverride: readStrings(container, 'cmd_override'),
    env: readStringMap(container, 'env'),
    envOverride: readStringMap(container, 'env_override'),
  }
}

function readImageSignature(signature: JsonObject): ImageSignature {
  const keyId = readString(signature, 'key_id')
  const signatureAlgorithm = readString(signature, 'signature_algorithm')
  if (keyId === undefined || signatureAlgorithm === undefined) {
    throw new ClaimTypeError('image_signatures', 'a list of key_id and signature_algorithm')
  }
  return { keyId, signatureAlgorithm }
}

function readGce(gce: JsonObject): ConfidentialSpaceClaims['gce'] {
  return {
    zone: readString(gce, 'zone'),
    projectId: readString(gce, 'project_id'),
    projectNumber: readString(gce, 'project_number'),
    instanceName: readString(gce, 'instance_name'),
    instanceId: readString(gce, 'instance_id'),
  }
}
