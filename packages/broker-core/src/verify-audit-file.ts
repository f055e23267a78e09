import { createReadStream } from 'node:fs'
import { GENESIS, readLine } from './audit-chain.ts'

export type AuditVerdict =
  /** `lastHash`: what the next file's first line continues, and what to keep elsewhere against a cut-off end. */
  | { readonly ok: true; readonly records: number; readonly lastHash: string }
  /** `line` counts from 1: the first one that does not continue the line before it. */
  | { readonly ok: false; readonly line: number; readonly reason: 'format' | 'chain' }

/** Octets beyond which nothing is a line, whatever a sink was told. */
const MAX_LINE = 1_048_576

/**
 * Verifies a chain of audit records ({@link ChainHead}), line by line and in constant memory. `format`: the line is
 * not one of ours, was edited, or was cut off; `chain`: it does not follow the one before, as a line was deleted,
 * moved or repeated.
 *
 * @param source A file's path, or its lines without line feeds.
 * @param prev For a rotated log: `lastHash` of the file before. Default: this file is the first.
 * @throws what reading the file throws.
 */
export async function verifyAuditFile(
  source: string | AsyncIterable<string> | Iterable<string>,
  { prev = GENESIS.hash }: { readonly prev?: string } = {},
): Promise<AuditVerdict> {
  let lastHash = prev
  let nextSeq = prev === GENESIS.hash ? 1 : undefined
  let records = 0
  for await (const text of typeof source === 'string' ? linesOf(source) : source) {
    const read = readLine(text)
    const line = records + 1
    if (read === undefined) return { ok: false, line, reason: 'format' }
    if (read.prev !== lastHash || read.seq !== (nextSeq ?? read.seq)) return { ok: false, line, reason: 'chain' }
    records = line
    lastHash = read.hash
    nextSeq = read.seq + 1
  }
  return { ok: true, records, lastHash }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of createReadStream(path, { encoding: 'latin1', highWaterMark: 262_144 })) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
    if (rest.length > MAX_LINE) break
  }
  if (rest !== '') yield rest
}
