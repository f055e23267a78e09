import type { TdxClaims } from '../claims.ts'
import type { JsonObject } from '../strict-json.ts'
import { readString } from './json.ts'

/** The claims that Intel Trust Authority and Azure Attestation name alike. */
export function readTdxQuote(from: JsonObject): Omit<TdxClaims, 'debuggable'> {
  return {
    kind: 'tdx',
    dbgstat: readString(from, 'dbgstat'),
    tcbStatus: readString(from, 'attester_tcb_status'),
    tcbDate: readString(from, 'attester_tcb_date'),
    mrtd: readString(from, 'tdx_mrtd')?.toLowerCase(),
    rtmr: [0, 1, 2, 3].map((index) => readString(from, `tdx_rtmr${index}`)?.toLowerCase()),
    reportData: readString(from, 'tdx_report_data')?.toLowerCase(),
  }
}
