import { HASHES } from '../algorithms.ts'
import { Reader } from '../internal/reader.ts'
import { encodePcrSelection, type PcrSelection, readPcrSelection } from '../pcr-selection.ts'
import type { CallOptions, Session, Tpm } from '../tpm.ts'

/** Value of one PCR. */
export interface PcrValue {
  readonly hash: PcrSelection['hash']
  readonly pcr: number
  readonly value: Uint8Array
}

/** As for each call. */
export interface PcrReadOptions extends CallOptions {
  /** Their HMACs show that the values come from the TPM. */
  readonly sessions?: readonly Session[]
}

/**
 * Reads PCRs, as many commands as that takes. PCRs and banks that the TPM does not have are left out.
 *
 * @returns In the order of the selections, numbers ascending.
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @see TPM 2.0 Part 3 §22.4, TPM2_PCR_Read
 */
export async function pcrRead(
  tpm: Tpm,
  selections: readonly PcrSelection[],
  options?: PcrReadOptions,
): Promise<PcrValue[]> {
  const values: PcrValue[] = []
  for (const { hash, pcrs } of selections) {
    let left = [...new Set(pcrs)].sort((a, b) => a - b)
    while (left.length > 0) {
      const page = await readPage(tpm, { hash, pcrs: left }, options)
      values.push(...page)
      const last = page.at(-1)
      left = last === undefined ? [] : left.filter((pcr) => pcr > last.pcr)
    }
  }
  return values
}

async function readPage(tpm: Tpm, wanted: PcrSelection, options?: PcrReadOptions): Promise<PcrValue[]> {
  const { parameters } = await tpm.execute(
    { command: 'TPM2_PCR_Read', handles: [], sessions: options?.sessions, parameters: encodePcrSelection([wanted]) },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_PCR_Read')
  reader.u32() // pcrUpdateCounter
  const got = readPcrSelection(reader).flatMap(({ hash, pcrs }) => pcrs.map((pcr) => ({ hash, pcr })))
  if (got.some(({ hash, pcr }) => hash !== wanted.hash || !wanted.pcrs.includes(pcr))) {
    throw reader.malformed('a PCR that was not asked for')
  }
  if (reader.count(8) !== got.length) throw reader.malformed('another number of values than of PCRs')
  const values = got.map((it) => ({ ...it, value: reader.sized(HASHES[it.hash].size) }))
  reader.end()
  if (values.some(({ hash, value }) => value.length !== HASHES[hash].size)) throw reader.malformed('a short PCR value')
  return values
}
