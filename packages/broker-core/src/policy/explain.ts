import type { ConditionOutcome, PolicyInput } from '../types.ts'
import type { CompiledRule } from './decide.ts'

/** Every condition of every rule, whether it holds, and why; then whether the grant can be worked out. */
export function explain(rules: readonly CompiledRule[], input: PolicyInput) {
  return rules.map(({ id, conditions, plan }) => {
    const outcomes: ConditionOutcome[] = conditions.map((it) => ({
      condition: it.name,
      held: it.holds(input),
      detail: it.detail(input),
    }))
    const [choice] = plan.choices(input.request)
    if (choice !== undefined) {
      const held = plan.grant(choice, input) !== undefined
      outcomes.push({
        condition: 'grant.template',
        held,
        detail: held
          ? 'all templates can be filled'
          : 'a template finds no value, or one that is too long or not allowed there',
      })
    }
    return { rule: id, target: plan.target, conditions: outcomes }
  })
}
