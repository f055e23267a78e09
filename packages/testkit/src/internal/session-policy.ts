import { BlockList, isIP } from 'node:net'

/** What a session wants to do. */
export interface Access {
  /** `s3:GetObject` */
  readonly action: string
  /** ARN, or `*` for actions without a resource. */
  readonly resource: string
  readonly sourceIp: string
}

type Statement = Readonly<Record<string, unknown>>
const STATEMENT_KEYS = ['Sid', 'Effect', 'Action', 'Resource', 'Condition']
const OPERATORS = ['IpAddress', 'NotIpAddress']

/**
 * Evaluates the policies of a session together: Effect, Action, Resource, and IpAddress or NotIpAddress on aws:SourceIp. Patterns
 * are literal, or end in one asterisk. A policy with anything else in it allows nothing at all; no policy allows everything.
 */
export function policiesAllow(policies: readonly string[], access: Access): boolean {
  if (policies.length === 0) return true
  try {
    const matching = policies.flatMap(statementsOf).filter((statement) => applies(statement, access))
    return matching.length > 0 && matching.every(({ Effect }) => Effect === 'Allow')
  } catch {
    return false
  }
}

const statementsOf = (policy: string): Statement[] =>
  list<Statement>((JSON.parse(policy) as { Statement: unknown }).Statement)

/** @throws On what it does not understand. */
function applies(statement: Statement, access: Access): boolean {
  const { Effect, Action, Resource, Condition = {} } = statement
  if (Object.keys(statement).some((key) => !STATEMENT_KEYS.includes(key))) throw new TypeError('unknown element')
  if (Effect !== 'Allow' && Effect !== 'Deny') throw new TypeError('unknown effect')
  const action = strings(Action).some((pattern) => matches(pattern.toLowerCase(), access.action.toLowerCase()))
  const resource = strings(Resource).some((pattern) => matches(pattern, access.resource))
  const conditions = Object.entries(Condition as object).map(([operator, test]) =>
    holds(operator, test as object, access),
  )
  return action && resource && conditions.every(Boolean)
}

function holds(operator: string, test: object, { sourceIp }: Access): boolean {
  const entries = Object.entries(test) as [string, unknown][]
  if (!OPERATORS.includes(operator) || entries.length !== 1) throw new TypeError('unknown condition')
  const [key, ranges] = entries[0]!
  if (key.toLowerCase() !== 'aws:sourceip') throw new TypeError('unknown condition key')
  const inside = new BlockList()
  for (const range of strings(ranges)) addRange(inside, range)
  return inside.check(sourceIp, isIP(sourceIp) === 6 ? 'ipv6' : 'ipv4') === (operator === 'IpAddress')
}

function addRange(ranges: BlockList, range: string): void {
  const [address = '', prefix] = range.split('/')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  if (prefix === undefined) ranges.addAddress(address, family)
  else ranges.addSubnet(address, Number(prefix), family)
}

function matches(pattern: string, text: string): boolean {
  const stem = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
  if (/[*?$]/.test(stem)) throw new TypeError('pattern is beyond this evaluator')
  return stem === pattern ? text === pattern : text.startsWith(stem)
}

function strings(value: unknown): string[] {
  const all = list<unknown>(value)
  if (all.length === 0 || all.some((item) => typeof item !== 'string')) throw new TypeError('not a list of strings')
  return all as string[]
}

const list = <T>(value: unknown): T[] => (Array.isArray(value) ? value : [value]) as T[]
