import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { environmentFindings } from './aws-environment.ts'
import { type AwsProfiles, loadProfiles } from './aws-profiles.ts'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'
import { processFindings } from './process-line.ts'
import { modeOf } from './small-file.ts'
import { environmentKeyFindings, keyFindings } from './static-keys.ts'

const { ok, warning, problem, absent } = findingsOf('aws-config')
const MAX_PROFILES = 200

/** What AWS tools are told on this machine: by `~/.aws` and by the environment. */
export async function awsConfigCheck(context: DoctorContext): Promise<Finding[]> {
  const read = await loadProfiles(context)
  const { files, profiles } = read
  const findings = [
    ...environmentKeyFindings(context),
    ...(await environmentFindings(context, profiles)),
    ...read.findings,
    ...(await modeFindings(context, read)),
    ...keyFindings(profiles),
  ]
  for (const profile of profiles.slice(0, MAX_PROFILES)) findings.push(...(await processFindings(profile, context)))
  if (profiles.length > MAX_PROFILES) findings.push(warning(`only the first ${MAX_PROFILES} profiles were looked at`))
  if (files.length === 0 && findings.length === 0) return [absent('no ~/.aws/config and no ~/.aws/credentials')]
  if (findings.length === 0) findings.push(ok(`nothing is wrong with ${files.map(({ path }) => path).join(' and ')}`))
  return findings
}

/** Who may write the configuration says which program is run. */
async function modeFindings({ home }: DoctorContext, { files, profiles }: AwsProfiles): Promise<Finding[]> {
  const findings: Finding[] = []
  const folder = join(home, '.aws')
  const all = [...files, { path: folder, stats: await stat(folder).catch(() => undefined) }]
  for (const { path, stats } of all) {
    if (stats === undefined) continue
    if ((stats.mode & 0o022) !== 0) {
      const why = 'whoever writes there has your tools run what they like'
      findings.push(problem(`others may write to ${path} (mode ${modeOf(stats)}): ${why}`, `chmod go-w ${path}`))
    }
    const hasKeys = profiles.some((it) => it.file === path && it.entries.has('aws_secret_access_key'))
    if (hasKeys && (stats.mode & 0o044) !== 0) {
      findings.push(
        warning(`others may read ${path}, which has keys in it (mode ${modeOf(stats)})`, `chmod 600 ${path}`),
      )
    }
  }
  return findings
}
