import type { Grant, PolicyDecision, PolicyInput } from '../types.ts'
import type { Condition } from './condition.ts'
import type { GrantPlan } from './grant-plan.ts'
import { CONDITION_ORDER } from './rule-conditions.ts'

/** A rule that is ready to be asked. */
export interface CompiledRule {
  readonly id: string
  readonly conditions: readonly Condition[]
  readonly plan: GrantPlan
}

/**
 * Decides, for any order of the rules alike:
 * 1. rules whose conditions all hold have a say; without one, the reason is where the rule that got furthest failed;
 * 2. they must mean one and the same thing (role, application) by the request;
 * 3. if several grant it, they must grant it alike.
 *
 * @param rules Sorted by id.
 */
export function decide(rules: readonly CompiledRule[], input: PolicyInput): PolicyDecision {
  if (rules.length === 0) return deny('policy.empty')
  if (!isDuration(input)) return { allow: false, code: 'invalid_request', reason: 'request.duration' }

  const failures = rules.map((rule) => rule.conditions.find((condition) => !condition.holds(input)))
  const matching = rules.filter((_, index) => failures[index] === undefined)
  if (matching.length === 0) return deny(furthest(failures as Condition[]).reason)

  const choices = new Set(matching.flatMap(({ plan }) => plan.choices(input.request)))
  const [choice, ...others] = choices
  if (choice === undefined) return deny('request.target')
  if (others.length > 0)
    return { allow: false, code: 'invalid_request', reason: `request.ambiguous_${MEANT[input.request.target]}` }

  const grants: Grant[] = []
  for (const { plan } of matching) {
    const grant = plan.grant(choice, input)
    if (grant === undefined) return deny('grant.template')
    grants.push(grant)
  }
  const [grant, ...more] = grants
  const json = more.length > 0 ? JSON.stringify(grant) : ''
  if (more.some((other) => JSON.stringify(other) !== json)) return deny('policy.ambiguous')
  return { allow: true, rule: matching[0]!.id, grant: grant! }
}

const MEANT = { aws: 'role', azure: 'application' } as const

const deny = (reason: string): PolicyDecision => ({ allow: false, code: 'policy_denied', reason })

/** The first of those that stand last in {@link CONDITION_ORDER}. */
const furthest = (failures: readonly Condition[]): Condition =>
  failures.reduce((best, it) => (placeOf(it) > placeOf(best) ? it : best))

const placeOf = (condition: Condition): number => CONDITION_ORDER.indexOf(condition.name)

/** Seconds; longer than the rule's maximum is capped, nonsense is not. */
function isDuration({ request }: PolicyInput): boolean {
  if (request.target !== 'aws' || request.durationSeconds === undefined) return true
  return Number.isSafeInteger(request.durationSeconds) && request.durationSeconds >= 900
}
