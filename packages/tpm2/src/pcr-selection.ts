import { HASHES, type HashAlgorithm } from './algorithms.ts'
import { concat, u8, u16, u32 } from './internal/octets.ts'
import type { Reader } from './internal/reader.ts'

/** PCRs of one bank. */
export interface PcrSelection {
  readonly hash: HashAlgorithm
  /** Numbers, 0 to 23, each once; their order does not matter. */
  readonly pcrs: readonly number[]
}

/** TPMS_PCR_SELECTION (Part 2 §10.6.2) has three octets of bits on every PC. */
const SELECT_OCTETS = 3

/**
 * TPML_PCR_SELECTION (Part 2 §10.9.7).
 *
 * @throws {RangeError} on PCRs that are not whole numbers from 0 to 23.
 */
export function encodePcrSelection(selections: readonly PcrSelection[]): Uint8Array {
  return concat(u32(selections.length), ...selections.map(encodeOne))
}

function encodeOne({ hash, pcrs }: PcrSelection): Uint8Array {
  const bits = new Uint8Array(SELECT_OCTETS)
  for (const pcr of pcrs) {
    const octet = bits[pcr >> 3]
    if (!Number.isInteger(pcr) || pcr < 0 || octet === undefined) {
      throw new RangeError(`a PCR is a number from 0 to 23, got ${pcr}`)
    }
    bits[pcr >> 3] = octet | (1 << (pcr & 7))
  }
  return concat(u16(HASHES[hash].id), u8(SELECT_OCTETS), bits)
}

/** Reads a TPML_PCR_SELECTION, numbers in ascending order. */
export function readPcrSelection(reader: Reader): PcrSelection[] {
  return Array.from({ length: reader.count(16) }, () => {
    const hash = reader.hash()
    const bits = reader.bytes(reader.u8())
    const pcrs: number[] = []
    bits.forEach((octet, at) => {
      for (let bit = 0; bit < 8; bit++) if ((octet >> bit) & 1) pcrs.push(at * 8 + bit)
    })
    return { hash, pcrs }
  })
}
