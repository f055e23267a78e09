import { type Profile, placeOf } from './aws-profiles.ts'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'

const { warning, problem } = findingsOf('aws-config')
const INSTEAD = 'put the secret into hardware (hardbound tpm import, pkcs11 import or kms wrap), then delete it here'

/** Keys that are written down: long-lived ones, and those that stand in the way of a `credential_process`. */
export function keyFindings(profiles: readonly Profile[]): Finding[] {
  const findings: Finding[] = []
  for (const profile of profiles) {
    const id = profile.entries.get('aws_access_key_id')
    const secret = profile.entries.get('aws_secret_access_key')
    if (id === undefined && secret === undefined) continue
    const place = placeOf(profile, id ?? secret ?? NOWHERE)
    if (id === undefined || secret === undefined) {
      const missing = id === undefined ? 'aws_access_key_id' : 'aws_secret_access_key'
      findings.push(problem(`${place}: ${missing} is missing beside the other one`, 'write both, or neither'))
    } else if (id.value.startsWith('AKIA')) {
      findings.push(
        warning(
          `${place}: a long-lived key is in the file. Whoever reads the file has it, and it hides what a metadata endpoint gives`,
          INSTEAD,
        ),
      )
    }
    findings.push(...conflict(profile, profiles, place))
  }
  return findings
}

const NOWHERE = { key: '', value: '', line: 0 }

/** A profile of this name with a process, in either file. */
function conflict(profile: Profile, profiles: readonly Profile[], place: string): Finding[] {
  const other = profiles.find((it) => it.name === profile.name && it.entries.has('credential_process'))
  if (other === undefined) return []
  const wins =
    profile.kind === 'credentials'
      ? 'the keys win, and the process is never run'
      : 'the AWS CLI and boto3 run the process, other SDKs take the keys'
  const process = placeOf(other, other.entries.get('credential_process') ?? NOWHERE)
  return [
    problem(`${place}: has keys and a credential_process (${process}): ${wins}`, 'delete the keys, or the process'),
  ]
}

/** Keys in the environment: they come before everything else. */
export function environmentKeyFindings({ env }: DoctorContext): Finding[] {
  const id = env.AWS_ACCESS_KEY_ID ?? ''
  const secret = env.AWS_SECRET_ACCESS_KEY ?? ''
  if ((id === '') !== (secret === '')) {
    const [set, missing] =
      id === '' ? ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'] : ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
    return [problem(`${set} is set without ${missing}: tools fail, or pass over it`, `unset ${set}`)]
  }
  if (id === '') return []
  const hides = 'it comes before every profile, credential_process and metadata endpoint'
  const cure = 'unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN'
  if (id.startsWith('AKIA')) return [warning(`AWS_ACCESS_KEY_ID is set to a long-lived key: ${hides}`, cure)]
  return [warning(`AWS_ACCESS_KEY_ID is set: ${hides}, and ends with its session`, cure)]
}
