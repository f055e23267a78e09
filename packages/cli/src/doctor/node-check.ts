import { checkProcess, thisProcess } from '../internal/startup-checks.ts'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warning, problem } = findingsOf('node')
const OLDEST = [20, 19] as const

/** Version of Node, and variables that change what it does with TLS. */
export function nodeCheck({ env, nodeVersion, now }: DoctorContext): Promise<Finding[]> {
  // What a broker refuses to start with is, for all else, good to know.
  const { problems, warnings } = checkProcess({ ...thisProcess(), env, nodeVersion, now: now() })
  const findings = [...problemsOfVersion(nodeVersion), ...warnings.map((it) => warning(it, 'install a newer Node'))]
  if (findings.length === 0) findings.push(ok(`Node ${nodeVersion}`))
  for (const text of problems) {
    const [, name] = /^([A-Z_]+) is set/.exec(text) ?? []
    const cure = name === undefined ? undefined : `unset ${name}`
    if (name === 'NODE_TLS_REJECT_UNAUTHORIZED') findings.push(problem(text, cure))
    else findings.push(warning(`${text}; hardbound broker run does not start with it`, cure))
  }
  return Promise.resolve(findings)
}

function problemsOfVersion(version: string): Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
  return isOld ? [problem(`Node ${version} is too old: ${OLDEST.join('.')} is the oldest that will do`)] : []
}
