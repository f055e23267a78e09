import { hash } from 'node:crypto'
import type { AuditRecord } from './types.ts'

/**
 * The audit log is a chain of lines, one record each, of printable ASCII:
 *
 *     {"v":1,"seq":7,"time":"2026-08-22T12:00:00.000Z","prev":"<hash of line 6>", …record… ,"hash":"<64 hex digits>"}
 *
 * `hash` is SHA-256 over the line as it stands, without the member `hash` (that is, up to `,"hash":` and then `}`).
 * As `prev` is part of that, a hash commits to every line before it: none can be changed, moved, left out or added
 * unnoticed. What a chain can't show is that its last lines are missing: keep the latest hash elsewhere for that.
 */
export interface ChainHead {
  /** Number of the last line; 0 before the first. */
  readonly seq: number
  /** Hash of the last line, hex. */
  readonly hash: string
}

/** Where a chain begins. */
export const GENESIS: ChainHead = Object.freeze({ seq: 0, hash: '0'.repeat(64) })

/** Octets of a line beside those of the record's own members. */
const FRAME_OCTETS = 256
const RESERVED = new Set(['v', 'seq', 'time', 'prev', 'hash'])
const LINE =
  /^(\{"v":1,"seq":(\d{1,15}),"time":"[\dTZ:.+-]{24,27}","prev":"([0-9a-f]{64})",".*),"hash":"([0-9a-f]{64})"\}$/

/**
 * Writes a record's members as JSON, in printable ASCII (control characters, U+2028 and all of Unicode are escaped).
 * Where that would make a line longer than `maxOctets`, long strings are cut and end with `[cut from N]`, N the
 * number of UTF-16 units they had.
 *
 * @throws {TypeError} for a member named like one of the chain's own.
 * @throws {RangeError} when the record has too many members to fit.
 */
export function encodeRecord(record: AuditRecord, maxOctets: number): string {
  for (const name of Object.keys(record)) {
    if (RESERVED.has(name)) throw new TypeError(`an audit record can't have a member "${name}"`)
  }
  const room = maxOctets - FRAME_OCTETS
  let text = toAscii(JSON.stringify(record))
  for (let longest = 2048; text.length > room; longest /= 2) {
    if (longest < 16) throw new RangeError('the audit record has too many members')
    text = toAscii(JSON.stringify(record, (_name, value: unknown) => cut(value, longest)))
  }
  return text.slice(1, -1)
}

/**
 * Makes the line after `head`.
 *
 * @param timeMs Milliseconds since the epoch.
 * @param members From {@link encodeRecord}.
 * @returns the line, without a line feed, and the chain's new head.
 */
export function sealLine(head: ChainHead, timeMs: number, members: string): { line: string; head: ChainHead } {
  const seq = head.seq + 1
  const open = `{"v":1,"seq":${seq},"time":"${new Date(timeMs).toISOString()}","prev":"${head.hash}",${members}`
  const sum = hash('sha256', `${open}}`, 'hex')
  return { line: `${open},"hash":"${sum}"}`, head: { seq, hash: sum } }
}

/** Reads a line, without its line feed. `undefined`: not a line of ours, or its hash is wrong. */
export function readLine(line: string): (ChainHead & { readonly prev: string }) | undefined {
  const match = LINE.exec(line)
  if (match === null) return undefined
  const [, open = '', seq, prev = '', sum = ''] = match
  return hash('sha256', `${open}}`, 'hex') === sum ? { seq: Number(seq), prev, hash: sum } : undefined
}

function toAscii(json: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
  return json.replace(/[\x00-\x1f\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function cut(value: unknown, longest: number): unknown {
  if (typeof value !== 'string' || value.length <= longest) return value
  return `${value.slice(0, longest)}[cut from ${value.length}]`
}
