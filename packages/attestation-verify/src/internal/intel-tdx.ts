import type { TdxClaims } from '../claims.ts'
import type { JsonObject } from '../strict-json.ts'
import { typed } from './confidential-space.ts'
import { ClaimTypeError, isObject, readBoolean } from './json.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'
import { readTdxQuote } from './tdx.ts'

/** The TDX claims of either version: under `tdx` in version 2, at the top in version 1. */
export function tdxFields(payload: JsonObject): JsonObject {
  return isObject(payload.tdx) ? payload.tdx : payload
}

/** A plain TDX token of Intel Trust Authority. */
export function intelTdxSteps(acceptedTcbStatuses: readonly string[]): readonly Step[] {
  return [
    { check: 'claim.format', needs: ['jwt.payload'], run: format },
    { check: 'claim.attestation_type', needs: ['claim.format'], run: attestationType },
    { check: 'claim.dbgstat', needs: ['claim.format'], run: debugStatus },
    tcbStatusStep(acceptedTcbStatuses),
  ]
}

function format(draft: Draft): undefined {
  draft.claims = typed(() => readIntelTdxClaims(draft.payload))
}

function readIntelTdxClaims(payload: JsonObject): TdxClaims {
  const fields = tdxFields(payload)
  if (fields !== payload && Object.keys(payload).some((name) => /^(tdx_|attester_)/.test(name))) {
    throw new ClaimTypeError('tdx', 'the only place of TDX claims')
  }
  return { ...readTdxQuote(fields), debuggable: readBoolean(fields, 'tdx_is_debuggable') }
}

function attestationType({ payload }: Draft): string {
  const type = tdxFields(payload).attester_type
  if (type !== 'TDX') throw new Rejection('"attester_type" is not TDX')
  return type
}

function debugStatus({ claims }: Draft): undefined {
  const { debuggable, dbgstat } = claims as TdxClaims
  if (debuggable !== false) throw new Rejection('debuggable, or not said')
  requireDebugDisabled(dbgstat)
}

/** Where `dbgstat` is said beside the attribute of the quote, it has to agree. */
export function requireDebugDisabled(dbgstat: string | undefined): void {
  if (![undefined, 'disabled', 'disabled-since-boot'].includes(dbgstat)) throw new Rejection('debuggable')
}

/** `attester_tcb_status` of a TDX quote. */
function tcbStatusStep(accepted: readonly string[]): Step {
  return {
    check: 'claim.tcb_status',
    needs: ['claim.format'],
    run: ({ claims }) => requireTcbStatus((claims as TdxClaims).tcbStatus, accepted),
  }
}

export function requireTcbStatus(status: string | undefined, accepted: readonly string[]): string {
  if (status === undefined || !accepted.includes(status)) throw new Rejection(status ?? 'absent')
  return status
}
