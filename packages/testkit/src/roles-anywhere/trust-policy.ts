import type { Certificate } from './certificate.ts'
import { denied } from './refusal.ts'
import type { SessionRequest } from './session-request.ts'
import { certificateTags } from './session-tags.ts'
import type { RolesAnywhereRole } from './test-roles-anywhere.ts'

const DEFAULT_MAX_SECONDS = 3600

/**
 * The AssumeRole that follows: conditions of the role's trust policy, and its longest session.
 *
 * @throws {RolesAnywhereRefusal} "Unable to assume role"; it names attributes that can't be tags, as the service does.
 */
export function assertTrusted(
  role: RolesAnywhereRole | undefined,
  { input, leaf, durationSeconds }: { input: SessionRequest; leaf: Certificate; durationSeconds: number },
): void {
  if (role === undefined) return
  const { tags, failed } = certificateTags(leaf)
  const unmet = Object.entries(role.conditions ?? {}).find(([key, values]) => {
    const value = tags.find((tag) => tag.key === key)?.value
    return value === undefined || ![values].flat().includes(value)
  })
  const list = (names: readonly string[]): string => `[ ${names.join(', ')} ]`
  const lost = Object.values(failed).flat().length > 0
  const lists = `Issuer: ${list(failed.Issuer)}; Subject: ${list(failed.Subject)}; SAN: ${list(failed.SAN)}`
  const hint = lost ? `. Some attributes failed to be mapped into session tags. ${lists}` : ''
  const refuse = (detail: string) => denied(`Unable to assume role for ${input.roleArn}${hint}`, detail)
  if (unmet !== undefined) throw refuse(`the condition on ${unmet[0]} does not hold`)
  if (role.trustAnchorArns?.includes(input.trustAnchorArn) === false)
    throw refuse('aws:SourceArn is another trust anchor')
  if (durationSeconds > (role.maxSessionSeconds ?? DEFAULT_MAX_SECONDS)) {
    throw refuse('the session would be longer than MaxSessionDuration of the role')
  }
}
