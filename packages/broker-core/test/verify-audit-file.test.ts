import { describe, expect, it } from '@jest/globals'
import { encodeRecord, GENESIS, readLine, sealLine } from '../src/audit-chain.ts'
import { verifyAuditFile } from '../src/verify-audit-file.ts'

function chain(length: number, head = GENESIS): string[] {
  return Array.from({ length }, (_, i) => {
    const sealed = sealLine(head, 1_787_400_000_000 + i, encodeRecord({ event: 'deny', requestId: `r${i}` }, 8192))
    head = sealed.head
    return sealed.line
  })
}
const LINES = chain(10)

describe('verifyAuditFile', () => {
  it('accepts a chain, and says where it ends', async () => {
    const lastHash = (JSON.parse(LINES[9]!) as { hash: string }).hash
    expect(await verifyAuditFile(LINES)).toEqual({ ok: true, records: 10, lastHash })
    expect(await verifyAuditFile([])).toEqual({ ok: true, records: 0, lastHash: GENESIS.hash })
  })

  it.each<[string, (lines: string[]) => string[], number, string]>([
    ['deleted', (lines) => lines.toSpliced(4, 1), 5, 'chain'],
    ['deleted first line', (lines) => lines.slice(1), 1, 'chain'],
    ['edited', (lines) => lines.with(4, lines[4]!.replace('"deny"', '"grant"')), 5, 'format'],
    ['edited time', (lines) => lines.with(4, lines[4]!.replace('"2026', '"2025')), 5, 'format'],
    ['edited, with its hash redone', (lines) => lines.with(4, chain(1, readLine(lines[3]!))[0]!), 6, 'chain'],
    ['swapped', (lines) => lines.with(4, lines[5]!).with(5, lines[4]!), 5, 'chain'],
    ['repeated', (lines) => lines.toSpliced(5, 0, lines[4]!), 6, 'chain'],
    ['put in', (lines) => lines.toSpliced(5, 0, chain(1)[0]!), 6, 'chain'],
    ['blank', (lines) => lines.toSpliced(5, 0, ''), 6, 'format'],
    ['cut off', (lines) => lines.with(9, lines[9]!.slice(0, -1)), 10, 'format'],
    ['with something after it', (lines) => lines.with(4, `${lines[4]!} `), 5, 'format'],
  ])('L09 finds the line that was %s', async (_name, change, line, reason) => {
    expect(await verifyAuditFile(change(LINES))).toEqual({ ok: false, line, reason })
  })

  it('L09 refuses numbers that do not follow, though the hashes do', async () => {
    const odd = { seq: 4, hash: readLine(LINES[2]!)!.hash }
    expect(await verifyAuditFile(chain(1, { ...GENESIS, seq: 1 }))).toMatchObject({ ok: false, line: 1 })
    expect(await verifyAuditFile([...LINES.slice(0, 3), ...chain(1, odd)])).toMatchObject({ ok: false, line: 4 })
  })

  it('L09 finds it in a long log', async () => {
    const lines = chain(20_000)
    expect(await verifyAuditFile(lines.toSpliced(17_654, 1))).toMatchObject({ ok: false, line: 17_655 })
  })

  it('L11 a later file of a rotated log continues the one before', async () => {
    const first = await verifyAuditFile(LINES.slice(0, 4))
    if (!first.ok) throw new Error('the first half should be fine')
    expect(await verifyAuditFile(LINES.slice(4), { prev: first.lastHash })).toMatchObject({ ok: true, records: 6 })
    expect(await verifyAuditFile(LINES.slice(5), { prev: first.lastHash })).toMatchObject({ ok: false, line: 1 })
  })
})

describe('encodeRecord', () => {
  const hostile = 'a\r\nb\x1b[31m"}\u2028\u2029\x7f\x9b\u202e\ufeffé\ud800'

  it('L07 whatever a value holds, a line is one line of printable ASCII and says the same', () => {
    const { line } = sealLine(GENESIS, 0, encodeRecord({ event: 'deny', sni: hostile, [hostile]: 1 }, 8192))
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(line)).toMatchObject({ sni: hostile, [hostile]: 1 })
    expect(readLine(line)).toBeDefined()
  })

  it('L17 cuts long values, and says so, until the line fits', () => {
    const record = { event: 'deny', requestId: 'r', claims: 'c'.repeat(16_384), more: '\u2028'.repeat(16_384) } as const
    const { line } = sealLine(GENESIS, 0, encodeRecord(record, 8192))
    expect(line.length).toBeLessThanOrEqual(8192)
    const read = JSON.parse(line) as typeof record
    expect(read.requestId).toBe('r')
    expect(read.claims).toMatch(/^c+\[cut from 16384\]$/)
    expect(read.more).toMatch(/^\u2028+\[cut from 16384\]$/)
  })

  it('L17 refuses a record that no cutting makes fit', () => {
    const record = {
      event: 'deny' as const,
      ...Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`m${i}`, i])),
    }
    expect(() => encodeRecord(record, 8192)).toThrow(RangeError)
  })

  it.each(['v', 'seq', 'time', 'prev', 'hash'])('refuses a member named %s', (name) => {
    expect(() => encodeRecord({ event: 'deny', [name]: 'x' }, 8192)).toThrow(TypeError)
  })
})
