import type { z } from 'zod'
import { formatPath, PolicyError } from './policy-error.ts'

/**
 * Checks a document against a schema.
 *
 * @param path Where the document stands in the policy.
 * @throws {PolicyError} `ERR_POLICY_INVALID` for the first thing that is wrong.
 */
export function checkShape<S extends z.ZodType>(
  schema: S,
  document: unknown,
  path: readonly PropertyKey[] = [],
): z.output<S> {
  const result = schema.safeParse(document)
  if (result.success) return result.data
  const { where, problem } = explainIssue(foremost(result.error.issues))
  throw new PolicyError('ERR_POLICY_INVALID', formatPath([...path, ...where]), problem)
}

interface Problem {
  readonly where: readonly PropertyKey[]
  readonly problem: string
}

/** A key that is misspelt is often missing under its right name as well: the former says more. */
const foremost = (issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue =>
  issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!

/** Zod's messages name what was expected, never what was there. */
function explainIssue(issue: z.core.$ZodIssue): Problem {
  const at = (nested: Problem): Problem => ({ where: [...issue.path, ...nested.where], problem: nested.problem })
  switch (issue.code) {
    case 'unrecognized_keys':
      return { where: [...issue.path, issue.keys[0]!], problem: 'unknown key' }
    case 'invalid_key':
      return { where: issue.path, problem: explainIssue(issue.issues[0]!).problem }
    case 'invalid_union': {
      // The alternative that got furthest is the one that was meant.
      const tried = issue.errors.filter((issues) => issues.length > 0).map((issues) => explainIssue(foremost(issues)))
      const [furthest] = tried.sort((a, b) => b.where.length - a.where.length)
      return furthest === undefined ? { where: issue.path, problem: 'has no allowed form' } : at(furthest)
    }
    default:
      return { where: issue.path, problem: issue.message }
  }
}
