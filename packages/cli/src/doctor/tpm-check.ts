import { constants, type Stats } from 'node:fs'
import { access, readFile, stat } from 'node:fs/promises'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'
import { modeOf } from './small-file.ts'
import { refused } from './tpm-permission.ts'

const { warning, problem, absent } = findingsOf('tpm')
/** With the kernel's resource manager, and without: the first that this user may open is asked. */
const DEVICES = ['/dev/tpmrm0', '/dev/tpm0'] as const

/** The TPM: is it there, may this user open it, does it answer, and does it still take passwords? */
export async function tpmCheck({ options, isolate }: DoctorContext): Promise<Finding[]> {
  const { tpm } = options
  if (tpm !== undefined && !tpm.startsWith('/')) return isolate('tpm', { address: tpm })
  const findings: Finding[] = []
  let usable: string | undefined
  for (const path of tpm === undefined ? DEVICES : [tpm]) {
    const found = await stat(path).catch(codeOf)
    if (found === 'ENOENT') continue
    if (typeof found === 'string') {
      findings.push(problem(`${path} can't be looked at (${found})`))
      continue
    }
    const seen = await deviceFindings(path, found)
    if (seen.length === 0 && usable === undefined) usable = path
    // Who may use the resource manager has no need of the bare device.
    if (usable === undefined || usable === path) findings.push(...seen)
  }
  if (usable !== undefined) return [...findings, ...(await isolate('tpm', { address: usable }))]
  if (findings.length > 0) return findings
  if (tpm !== undefined) return [problem(`${tpm} does not exist`)]
  return [
    absent(`no TPM: neither ${DEVICES.join(' nor ')} exists`, 'if the machine has one, turn it on in the firmware'),
  ]
}

async function deviceFindings(path: string, stats: Stats): Promise<Finding[]> {
  if (!stats.isCharacterDevice()) return [problem(`${path} is not a character device`)]
  const isOpen = await access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (!isOpen) return [refused(path, stats, await groupName(stats.gid), process.getgroups?.() ?? [])]
  return (stats.mode & 0o006) === 0
    ? []
    : [warning(`${path} is open to every user (mode ${modeOf(stats)})`, `chmod o-rwx ${path}`)]
}

/** Node has no call for it. */
async function groupName(gid: number): Promise<string> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '')
  const names = groups.split('\n').map((line) => line.split(':'))
  return names.find(([, , id]) => id === String(gid))?.[0] ?? String(gid)
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown')
