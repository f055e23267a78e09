import type { Finding, FindingStatus } from './finding.ts'

/** How many findings there are of each kind. */
export interface Summary {
  readonly ok: number
  readonly warnings: number
  readonly problems: number
  readonly absent: number
}

/** What `--json` prints. */
export const asJson = (findings: readonly Finding[]): { findings: readonly Finding[]; summary: Summary } => ({
  findings,
  summary: summaryOf(findings),
})

/** One line for each finding, cures below them, and a summary. */
export function asText(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ check, status, message, cure }) => [
    `${MARKS[status].padEnd(9)}${check.padEnd(12)}${oneLine(message)}`,
    ...(cure === undefined ? [] : [`${' '.repeat(21)}> ${oneLine(cure)}`]),
  ])
  const { ok, warnings, problems, absent } = summaryOf(findings)
  const counts = [
    `${problems} ${problems === 1 ? 'problem' : 'problems'}`,
    `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`,
  ]
  return [...lines, '', `${counts.join(', ')}, ${ok} ok, ${absent} not on this machine`].join('\n')
}

/** What the exit code depends on. */
export const hasProblem = (findings: readonly Finding[]): boolean => summaryOf(findings).problems > 0

const MARKS: Readonly<Record<FindingStatus, string>> = { ok: 'ok', warning: 'warning', problem: 'PROBLEM', absent: '-' }

/** A path or the name of a profile may hold anything, but not begin a line of its own. */
const oneLine = (text: string): string => text.replaceAll('\n', '\\n')

function summaryOf(findings: readonly Finding[]): Summary {
  const count = (status: FindingStatus): number => findings.filter((it) => it.status === status).length
  return { ok: count('ok'), warnings: count('warning'), problems: count('problem'), absent: count('absent') }
}
