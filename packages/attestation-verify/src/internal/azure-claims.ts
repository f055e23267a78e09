import type { SevSnpClaims, TdxClaims } from '../claims.ts'
import type { JsonObject, JsonValue } from '../strict-json.ts'
import { typed } from './confidential-space.ts'
import { requireDebugDisabled, requireTcbStatus } from './intel-tdx.ts'
import { isObject, readBoolean, readObject, readString } from './json.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'
import { readTdxQuote } from './tdx.ts'
import { textOfBase64 } from './text.ts'

/*
 * `sevsnpvm` and `tdxvm` tokens have the claims of the report at the top. An `azurevm` token is about a whole VM, and has
 * them inside `x-ms-isolation-tee`, with the type that they are of.
 */

const TYPE = 'x-ms-attestation-type'
const COMPLIANCE = ['azure-compliant-cvm', 'azure-compliant-uvm']

const isWholeVm = (payload: JsonObject): boolean => payload[TYPE] === 'azurevm'

/** Where the claims of the hardware report are. */
function reportOf(payload: JsonObject): JsonObject {
  const report = isWholeVm(payload) ? payload['x-ms-isolation-tee'] : payload
  return isObject(report) ? report : {}
}

/** What the workload put into the runtime data as the audience. */
export function audience(payload: JsonObject): JsonValue | undefined {
  return runtimeValue(payload, 'audience')
}

/**
 * What the workload put into the runtime data as the nonce. Not the top-level `nonce`: that is what the caller of the
 * attestation service sent along, and whoever relays a report may send what he likes. The report commits to runtime data.
 */
export function nonce(payload: JsonObject): JsonValue | undefined {
  return runtimeValue(payload, 'nonce')
}

/** A string of the runtime data; in an `azurevm` token, of the client payload there, in base64. */
function runtimeValue(payload: JsonObject, name: 'audience' | 'nonce'): string | undefined {
  return typed(() => {
    const runtime = readObject(payload, 'x-ms-runtime') ?? {}
    if (!isWholeVm(payload)) return readString(runtime, name)
    const base64 = readString(readObject(runtime, 'client-payload') ?? {}, name)
    return base64 === undefined ? undefined : textOfBase64(base64)
  })
}

/** The claims of the report: type, debugging, compliance. */
export function azureClaimSteps(acceptedTcbStatuses: readonly string[]): readonly Step[] {
  return [
    { check: 'claim.attestation_type', needs: ['jwt.payload'], run: attestationType },
    { check: 'claim.format', needs: ['claim.attestation_type'], run: format },
    { check: 'claim.dbgstat', needs: ['claim.format'], run: debugStatus },
    { check: 'claim.secboot', needs: ['claim.format'], run: secureBoot },
    {
      check: 'claim.tcb_status',
      needs: ['claim.format'],
      run: (draft) => tcbStatus(draft, acceptedTcbStatuses),
    },
  ]
}

function attestationType({ payload }: Draft): string {
  const type = reportOf(payload)[TYPE]
  if (type !== 'sevsnpvm' && type !== 'tdxvm') throw new Rejection('not sevsnpvm, tdxvm, or azurevm around one of them')
  return type
}

function format(draft: Draft): undefined {
  const { payload } = draft
  const report = reportOf(payload)
  draft.claims = typed(() =>
    report[TYPE] === 'tdxvm' ? readAzureTdxClaims(report) : readSevSnpClaims(report, payload),
  )
}

function readAzureTdxClaims(report: JsonObject): TdxClaims {
  return { ...readTdxQuote(report), debuggable: readBoolean(report, 'tdx_td_attributes_debug') }
}

function readSevSnpClaims(report: JsonObject, payload: JsonObject): SevSnpClaims {
  const vm = readObject(readObject(report, 'x-ms-runtime') ?? {}, 'vm-configuration') ?? {}
  return {
    kind: 'sev-snp',
    debuggable: readBoolean(report, 'x-ms-sevsnpvm-is-debuggable'),
    complianceStatus: readString(report, 'x-ms-compliance-status'),
    launchMeasurement: readString(report, 'x-ms-sevsnpvm-launchmeasurement')?.toLowerCase(),
    hostData: readString(report, 'x-ms-sevsnpvm-hostdata')?.toLowerCase(),
    reportData: readString(report, 'x-ms-sevsnpvm-reportdata')?.toLowerCase(),
    vmId: readString(payload, 'x-ms-azurevm-vmid') ?? readString(vm, 'vmUniqueId'),
  }
}

const VM_DEBUGGING = ['x-ms-azurevm-kerneldebug-enabled', 'x-ms-azurevm-hypervisordebug-enabled']

function debugStatus({ payload, claims }: Draft): undefined {
  if ((claims as TdxClaims | SevSnpClaims).debuggable !== false) throw new Rejection('debuggable, or not said')
  if (claims.kind === 'tdx') requireDebugDisabled(claims.dbgstat)
  if (isWholeVm(payload) && VM_DEBUGGING.some((claim) => ![undefined, false].includes(payload[claim] as boolean))) {
    throw new Rejection('the kernel or the hypervisor can be debugged')
  }
}

function secureBoot({ payload }: Draft): string {
  if (!isWholeVm(payload)) return 'not said by tokens of this type'
  if (payload.secureboot !== true) throw new Rejection('no secure boot')
  return 'true'
}

/** Microsoft's own verdict where there is one (always for SEV-SNP), Intel's for TDX. */
function tcbStatus({ payload, claims }: Draft, accepted: readonly string[]): string {
  const compliance = reportOf(payload)['x-ms-compliance-status']
  const needed = claims.kind === 'sev-snp' || compliance !== undefined
  if (needed && !COMPLIANCE.includes(compliance as string)) throw new Rejection('not azure-compliant')
  return claims.kind === 'tdx' ? requireTcbStatus(claims.tcbStatus, accepted) : (compliance as string)
}
